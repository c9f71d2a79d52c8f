//! Programs as child processes, servers of this same program above all, and what the kernel says of a process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A program in a process of its own. It is killed when this is dropped.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
}

impl Program {
    /// Starts `program` and waits until a line of its standard output, in JSON, says that it is ready: until
    /// `ready` makes something of one.
    pub(crate) async fn start<T>(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        ready: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<(Self, T)> {
        let mut child = command(program, arguments, environment)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let found = tokio::time::timeout(Duration::from_secs(30), async {
            while let Some(line) = lines.next_line().await? {
                if let Some(found) = serde_json::from_str(&line).ok().and_then(|value| ready(&value)) {
                    return anyhow::Ok(found);
                }
            }
            anyhow::bail!("{name} ended before it was ready")
        })
        .await
        .with_context(|| format!("{name} was not ready within 30 seconds"))??;
        // Keep reading, so that the program never waits for its output to be read.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((Program { name, child }, found))
    }

    /// Starts `program`; how one knows that it is ready is the caller's.
    pub(crate) fn spawn(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let child = command(program, arguments, environment)
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Program { name, child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Asks it to stop (SIGTERM) and waits.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let name = self.name;
        if let Some(pid) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let status = tokio::time::timeout(Duration::from_secs(15), self.child.wait())
            .await
            .with_context(|| format!("{name} did not stop within 15 seconds"))??;
        anyhow::ensure!(status.success(), "{name} ended with {status}");
        Ok(())
    }
}

fn command(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command
}

/// A server of this same program in a process of its own.
pub(crate) struct ServerProcess {
    program: Program,
    addr: SocketAddr,
    url: String,
}

impl ServerProcess {
    /// Starts `assay serve --http` on a free loopback port and waits until it says that it listens.
    pub(crate) async fn start(
        data: &Path,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        ServerProcess::part("all", data, options, environment).await
    }

    /// Starts one part (`assay serve <part>`) on a free loopback port and waits until it says that it listens.
    pub(crate) async fn part(
        part: &str,
        data: &Path,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let data = data.display().to_string();
        let mut arguments = vec!["serve", "--http", "--listen", "127.0.0.1:0", "--data-dir", &data];
        arguments.extend(options);
        arguments.push(part);
        ServerProcess::run(&arguments, environment).await
    }

    /// Starts this program with arguments with which it serves, and waits until it says that it listens.
    pub(crate) async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let listening = |line: &Value| line.get("listening")?.as_str()?.parse().ok();
        let this = std::env::current_exe()?;
        let (program, addr) = Program::start("the server", &this, &all, environment, listening).await?;
        Ok(ServerProcess { program, addr, url: format!("http://{addr}") })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Asks it to stop (SIGTERM) and waits.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.program.stop().await
    }
}

/// The memory of a process that is in RAM (`VmRSS` of proc(5)), in bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("no VmRSS in /proc")?
        .parse()?;
    Ok(kib * 1024)
}

/// The CPU time that a process and all its threads have used, user and system (fields 14 and 15 of
/// proc_pid_stat(5)), by the kernel's ticks of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the name in parentheses, may hold spaces.
    let (_, rest) = stat.rsplit_once(')').context("/proc: stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks =
        |index: usize| -> anyhow::Result<u64> { Ok(fields.get(index).context("/proc: stat")?.parse()?) };
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / per_second.max(1)))
}
