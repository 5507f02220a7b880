//! What clients speak to us. A dialect decodes requests and encodes answers, events and errors.

pub mod openai;
