//! Which processor runs what: the server owns one, the load generator another.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two processors of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    /// Runs the server, and the cryptography that it is compared with.
    pub(crate) server: usize,
    /// Runs the load generator, which never sleeps.
    pub(crate) generator: usize,
}

impl Cores {
    /// Takes the first two processors that this process may use. With one only, both sides share it.
    ///
    /// # Errors
    /// A sentence, when the kernel does not tell which ones these are.
    pub(crate) fn choose() -> Result<Self, String> {
        let allowed = sched_getaffinity(None)
            .map_err(|error| format!("cannot read the allowed processors: {error}"))?;
        let mut numbers = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
        let server = numbers.next().ok_or("no processor is allowed")?;
        let generator = numbers.next().unwrap_or(server);
        Ok(Self { server, generator })
    }

    /// Whether server and generator compete for one processor, so that the figures mean little.
    pub(crate) fn are_shared(self) -> bool {
        self.server == self.generator
    }
}

/// Binds the calling thread, and every thread and process that it starts later, to one processor.
///
/// # Errors
/// A sentence, when the kernel refuses.
pub(crate) fn pin(number: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(number);
    sched_setaffinity(None, &set)
        .map_err(|error| format!("cannot run on processor {number}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_runs_on_its_processor_and_so_does_what_it_starts() {
        let cores = Cores::choose().unwrap();
        std::thread::spawn(move || {
            pin(cores.generator).unwrap();
            let inherited = std::thread::spawn(rustix::thread::sched_getcpu).join();
            assert_eq!(inherited.unwrap(), cores.generator);
        })
        .join()
        .unwrap();
    }
}
