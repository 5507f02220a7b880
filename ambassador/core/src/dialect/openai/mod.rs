//! OpenAI's Chat Completions API, as its SDKs speak it.

mod answer;
mod error;
mod request;
mod stream;

pub use self::{
    answer::answer,
    error::{Problem, error_body, error_event},
    request::{Ask, Invalid, chat},
    stream::Encoder,
};
