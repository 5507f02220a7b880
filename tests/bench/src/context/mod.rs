//! The third benchmark: how good what the context-sidecar finds is, how fast it finds it, and how large it is.
//!
//! The real binary, asked over HTTP. What it has behind it takes no time: vectors are remembered (`vectors`), and so is
//! what a Qdrant answers where time is measured (`replay`).

mod client;
mod collections;
mod options;
mod quality;
mod replay;
mod report;
mod serve;
mod sidecar;
mod speed;
mod vectors;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use self::collections::Judged;
pub(crate) use self::options::{ENVIRONMENT, Options};
use self::quality::Rankings;
use self::report::Report;
use self::sidecar::{Setup, Stage};
use self::vectors::MODEL;
use crate::child::{Part, give_up_after};
use crate::clock::{SECOND, now};
use crate::cores::Cores;
use crate::procfs;
use crate::scratch::Scratch;
use crate::subject::free_port;

pub(crate) use replay::play as play_replay;
pub(crate) use vectors::play as play_vectors;

/// A model that reads everything for the first time, and a Qdrant in Python, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// Runs the script that it is given. A head and a body are two writes of it: with Nagle's algorithm the second would wait
/// for the delayed ACK of the first, 40 ms an answer.
const WITHOUT_DELAY: &str = "import runpy, socketserver, sys
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')";

pub(crate) fn conduct(options: &Options) -> anyhow::Result<()> {
    let program = sidecar::find(options.sidecar.as_deref())?;
    let cores = Cores::choose()?;
    give_up_after(PATIENCE);
    let (model, model_url) = model(cores)?;
    let vectors = vectors_of(cores, model_url.as_deref())?;
    let (mut vectors, scratch) = (vectors, Scratch::new().context("a folder for stores")?);
    let stage = Stage { program, cores, scratch, vectors: vectors.line()?.parse()? };

    let (began, busy) = (now(), procfs::machine_busy_s());
    let mut report = Report::default();
    let scifact = options.retrieval.join("scifact");
    let scifact = scifact.is_dir().then(|| collections::judged(&scifact)).transpose()?;
    if scifact.is_none() || !options.retrieval.join("chunkeval").is_dir() {
        let path = options.retrieval.display();
        report.note(format!("quality, where {path} (--retrieval) has no scifact and chunkeval"));
    }
    if let Some(judged) = &scifact {
        let rankings = options.wants("quality").then(|| embedded_quality(&stage, judged, &mut report)).transpose()?;
        if options.wants("qdrant") {
            qdrant_quality(&stage, options, judged, rankings.as_ref(), &mut report)?;
        }
    }
    if options.wants("contexts") {
        contexts(&stage, options, &mut report)?;
    }
    drop(model);
    if options.wants("speed") {
        speed::embedded(&stage, options.rounds, &mut report)?;
        speed::ingest(&stage, scifact.as_ref().map(|judged| &judged.documents[..]), &mut report)?;
    }
    if options.wants("speed") || options.wants("overhead") {
        match qdrant(&stage, options)? {
            Some((_server, url)) => speed::overhead(&stage, url, options.rounds, &mut report)?,
            None => report.note(NO_QDRANT),
        }
    }
    if options.wants("size") {
        size(&stage, &mut report)?;
    }
    let took = (now() - began) as f64 / SECOND as f64;
    // By now all parts have ended, and count.
    drop(vectors);
    let others = (procfs::machine_busy_s() - busy - procfs::own_cpu_with_ended_s()).max(0.0) / took;
    crate::say(&report.show(others))
}

const NO_QDRANT: &str = "what is behind a Qdrant: there is neither QDRANT_URL nor fake_qdrant.py with QDRANT_PYTHON";

/// The real model, where there is one.
fn model(cores: Cores) -> anyhow::Result<(Option<Part>, Option<String>)> {
    let Some(python) = sidecar::interpreter("MINILM_PYTHON", "minilm") else { return Ok((None, None)) };
    let (port, mut command) = (free_port()?, Command::new(python));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../context-sidecar/tests/support/minilm.py"));
    command.arg(port.to_string()).env_clear().env("HF_HUB_OFFLINE", "1");
    Ok((Some(sidecar::python(cores.gateway, &mut command, port)?), Some(format!("http://127.0.0.1:{port}"))))
}

fn vectors_of(cores: Cores, model: Option<&str>) -> anyhow::Result<Part> {
    let target = std::env::current_exe()?.ancestors().nth(2).map(|target| target.join("tmp"));
    let folder: PathBuf = target.context("the folder of what is built")?;
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("minilm-vectors").display().to_string();
    let words: Vec<String> = [Some(file), model.map(str::to_owned)].into_iter().flatten().collect();
    Part::ours("vectors", cores.load, &words)
}

/// The Qdrant that is named, or the stand-in.
fn qdrant(stage: &Stage, options: &Options) -> anyhow::Result<Option<(Option<Part>, String)>> {
    if let Ok(url) = std::env::var("QDRANT_URL") {
        return Ok(Some((None, url)));
    }
    let script = options.retrieval.join("fake_qdrant.py");
    let Some(python) = sidecar::interpreter("QDRANT_PYTHON", "qdrant").filter(|_| script.is_file()) else {
        return Ok(None);
    };
    let (port, mut command) = (free_port()?, Command::new(python));
    command.args(["-c", WITHOUT_DELAY]).arg(script).arg(port.to_string()).env_clear();
    let part = sidecar::python(stage.cores.load, &mut command, port)?;
    Ok(Some((Some(part), format!("http://127.0.0.1:{port}"))))
}

/// What each store has to reach.
fn tell(report: &mut Report, store: &str, hybrid: &quality::Scores, lexical: &quality::Scores) {
    report.at_least(format!("SciFact, {store}, hybrid: nDCG@10"), hybrid.ndcg, 0.72, 4);
    report.say("… recall@10", format!("{:.4}", hybrid.recall));
    report.at_least("… lexical: nDCG@10", lexical.ndcg, 0.67, 4);
    report.say("… recall@10", format!("{:.4}", lexical.recall));
}

fn embedded_quality(stage: &Stage, judged: &Judged, report: &mut Report) -> anyhow::Result<[Rankings; 2]> {
    let setup = Setup { store: "scifact", model: Some(MODEL), remembers: true };
    let mut sidecar = stage.start(setup)?;
    let (chunks, _) = sidecar.put("bench-scifact", &judged.documents)?;
    let large = sidecar.rss_mib();
    drop(sidecar);
    let mut sidecar = stage.start(setup)?;
    let opened = sidecar.rss_mib();
    let hybrid = quality::judge(&mut sidecar, judged, "hybrid")?;
    let dense = quality::judge(&mut sidecar, judged, "dense")?;
    let lexical = quality::judge(&mut sidecar, judged, "lexical")?;
    tell(report, "embedded store", &hybrid, &lexical);
    report.say("… dense alone: nDCG@10", format!("{:.4}", dense.ndcg));
    report.below(format!("resident with SciFact ({chunks} chunks with vectors) in the store"), opened, "MiB", 50.0);
    report.say("… after 900 questions, all remembered", format!("{:.1} MiB", sidecar.rss_mib()));
    report.say("… right after all of it was put in", format!("{large:.1} MiB"));
    Ok([hybrid.rankings, lexical.rankings])
}

fn qdrant_quality(
    stage: &Stage,
    options: &Options,
    judged: &Judged,
    embedded: Option<&[Rankings; 2]>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Some((_server, url)) = qdrant(stage, options)? else {
        report.note(NO_QDRANT);
        return Ok(());
    };
    let mut sidecar = stage.start(Setup { store: &url, model: Some(MODEL), remembers: false })?;
    // Of another run, in a Qdrant that stays.
    let body = json!({"collection": "bench-scifact", "all": true}).to_string();
    let _ = sidecar.client.send(&sidecar.client.request("DELETE", "/v1/documents", &body))?;
    sidecar.put("bench-scifact", &judged.documents)?;
    let hybrid = quality::judge(&mut sidecar, judged, "hybrid")?;
    let lexical = quality::judge(&mut sidecar, judged, "lexical")?;
    tell(report, "Qdrant", &hybrid, &lexical);
    if let Some([by_both, by_words]) = embedded {
        for (mode, one, other) in [("hybrid", by_both, &hybrid.rankings), ("lexical", by_words, &lexical.rankings)] {
            let same = one.iter().zip(other).filter(|(one, other)| one == other).count();
            report.say(
                format!("the same ten documents in the same order on both, {mode}"),
                format!("{same} of {}", one.len()),
            );
        }
    }
    Ok(())
}

fn contexts(stage: &Stage, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let folder = options.retrieval.join("chunkeval");
    if !folder.is_dir() {
        return Ok(());
    }
    let marked = collections::marked(&folder)?;
    let mut sidecar = stage.start(Setup { store: "chunkeval", model: Some(MODEL), remembers: false })?;
    sidecar.put("bench-chunkeval", &marked.documents)?;
    for mode in ["hybrid", "lexical"] {
        for tokens in [500, 1_000, 2_000, 4_000] {
            let recall = quality::span_recall(&mut sidecar, &marked, mode, tokens)?;
            let what = format!("chunkeval, {mode}: span recall at {tokens} tokens packed");
            if tokens == 2_000 {
                report.at_least(what, recall, 0.93, 4);
            } else {
                report.say(what, format!("{recall:.4}"));
            }
        }
    }
    Ok(())
}

fn size(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    let sidecar = stage.start(Setup { store: "empty", model: Some(vectors::INSTANT), remembers: true })?;
    report.below("resident, idle", sidecar.rss_mib(), "MiB", 15.0);
    let bytes = std::fs::metadata(&stage.program)?.len();
    report.say("the binary", format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)));
    Ok(())
}
