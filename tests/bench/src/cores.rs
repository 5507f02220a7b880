//! Which core plays which part.

use std::process;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of a run: the first two that this process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) load: usize,
    pub(crate) gateway: usize,
}

impl Cores {
    pub(crate) fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None).context("which cores may be used")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let load = cores.next().context("no core may be used")?;
        Ok(Self { load, gateway: cores.next().unwrap_or(load) })
    }

    pub(crate) fn is_shared(self) -> bool {
        self.load == self.gateway
    }
}

/// What every process of a run does first: it dies with its parent, may open as many files as it is let, and stays
/// on its core. All of it survives an exec.
pub(crate) fn settle_on(core: &str) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("tying this process to its parent")?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("raising the limit on open files")?;
    stay_on(core.parse().context("a core is a number")?)
}

pub(crate) fn stay_on(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("pinning process {} to core {core}", process::id()))
}

/// Whether a gateway may hold so many streams open, with one file on either side of each.
pub(crate) fn may_hold(streams: usize) -> bool {
    let files = getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |most| most as usize);
    files >= 2 * streams + 100
}
