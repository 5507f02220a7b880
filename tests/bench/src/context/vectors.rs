//! The part `vectors CORE FILE [URL]`: OpenAI's `/v1/embeddings`, for a model that takes no time.
//!
//! `all-MiniLM-L6-v2` is the real one at URL; whatever it has made is kept in FILE, as the quality tests of the
//! context-sidecar keep it, because it takes ten minutes for SciFact. `instant` is none: numbers made of the text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::serve::{self, Answer, Upstream};
use crate::cores;

pub(super) const MODEL: &str = "all-MiniLM-L6-v2";
pub(super) const INSTANT: &str = "instant";
const BYTES: usize = 384 * 4;

type Key = [u8; 32];

struct Kept {
    file: PathBuf,
    known: RefCell<HashMap<Key, Vec<u8>>>,
    url: Option<String>,
    upstream: Upstream,
}

pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let (core, file, url) = match words {
        [core, file] => (core, file, None),
        [core, file, url] => (core, file, Some(url.clone())),
        _ => bail!("vectors CORE FILE [URL]"),
    };
    cores::settle_on(core)?;
    let known = RefCell::new(read(Path::new(file))?);
    let kept = Rc::new(Kept { file: file.into(), known, url, upstream: serve::upstream() });
    serve::serve(move |request| {
        let kept = Rc::clone(&kept);
        async move { kept.answer(request.into_body()).await }
    })
}

fn read(file: &Path) -> anyhow::Result<HashMap<Key, Vec<u8>>> {
    let bytes = fs::read(file).unwrap_or_default();
    // What was cut off while it was written is made again.
    let whole = bytes.len() / (32 + BYTES) * (32 + BYTES);
    if whole < bytes.len() {
        OpenOptions::new().write(true).open(file)?.set_len(whole as u64)?;
    }
    let records = bytes.chunks_exact(32 + BYTES).filter_map(|record| record.split_first_chunk::<32>());
    Ok(records.map(|(key, vector)| (*key, vector.to_vec())).collect())
}

impl Kept {
    async fn answer(&self, body: Bytes) -> anyhow::Result<Answer> {
        let asked: Value = serde_json::from_slice(&body).context("the request")?;
        let texts: Vec<&str> = match &asked["input"] {
            Value::String(text) => vec![text],
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => bail!("no input"),
        };
        let vectors = match asked["model"].as_str() {
            Some(INSTANT) => texts.iter().map(|text| instant(text)).collect(),
            Some(MODEL) => self.real(&texts).await?,
            _ => bail!("the models here are {MODEL} and {INSTANT}"),
        };
        let item = |(index, vector): (usize, &Vec<u8>)| json!({"object": "embedding", "index": index, "embedding": BASE64_STANDARD.encode(vector)});
        let data: Vec<Value> = vectors.iter().enumerate().map(item).collect();
        let answer = json!({"object": "list", "data": data, "model": asked["model"], "usage": {"prompt_tokens": 0, "total_tokens": 0}});
        Ok(serve::json(answer.to_string()))
    }

    async fn real(&self, texts: &[&str]) -> anyhow::Result<Vec<Vec<u8>>> {
        let key = |text: &str| -> Key { Sha256::digest(text).into() };
        let new: Vec<&str> =
            texts.iter().copied().filter(|text| !self.known.borrow().contains_key(&key(text))).collect();
        if !new.is_empty() {
            let Some(url) = &self.url else { bail!("{MODEL} is not here, and has not made these before") };
            let body = json!({"model": MODEL, "input": new, "encoding_format": "base64"}).to_string();
            let request = Request::post(format!("{url}/v1/embeddings")).header("content-type", "application/json");
            let (status, answer) = serve::pass_on(&self.upstream, request.body(body.into())?).await?;
            let answer: Value = serde_json::from_slice(&answer).with_context(|| format!("{MODEL} answers {status}"))?;
            let made = answer["data"].as_array().filter(|made| made.len() == new.len()).context("as many vectors")?;
            let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
            for (text, made) in new.iter().zip(made) {
                let vector = BASE64_STANDARD.decode(made["embedding"].as_str().context("a vector")?)?;
                file.write_all(&[&key(text)[..], &vector].concat())?;
                self.known.borrow_mut().insert(key(text), vector);
            }
        }
        let known = self.known.borrow();
        texts.iter().map(|text| known.get(&key(text)).cloned().context("a vector")).collect()
    }
}

/// Numbers that look random and are the same for the same text, of length 1.
fn instant(text: &str) -> Vec<u8> {
    let mut state = text.bytes().fold(88_172_645_463_325_252_u64, |sum, byte| sum.rotate_left(7) ^ u64::from(byte)) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    let numbers: Vec<f32> = (0..BYTES / 4).map(|_| next()).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.iter().flat_map(|number| (number / length).to_le_bytes()).collect()
}
