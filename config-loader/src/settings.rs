//! What is wanted, valid and resolved: from the file or from the variables of the drop-in form.
