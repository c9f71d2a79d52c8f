//! A simulated guest: its kernel's files and the agent that uses them, each a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::output;
use crate::process::Program;

/// What a simulated guest is made of.
pub(crate) struct GuestPlan<'a> {
    /// A folder of its own, which exists.
    pub(crate) dir: &'a Path,
    /// The server: key broker and attestation service.
    pub(crate) url: &'a str,
    /// The attestation service, where it is another one: the key broker is shown its tokens.
    pub(crate) passport_url: Option<&'a str>,
    /// The TEE, as `assay emulate` names it.
    pub(crate) tee: &'a str,
    /// More options of `assay emulate configfs-tsm`.
    pub(crate) options: &'a [&'a str],
    /// The init data.
    pub(crate) init_data: &'a str,
    /// What a caller of REST may do: the lines of the listener after its address.
    pub(crate) rules: &'a str,
    /// The agent's program; the one beside this program when `None`.
    pub(crate) agent: Option<&'a Path>,
}

/// A running guest.
pub(crate) struct GuestProcess {
    kernel: Program,
    agent: Program,
    rest: String,
    configuration: String,
}

impl GuestProcess {
    /// Mounts the kernel's files, starts the agent on them and waits until it listens.
    pub(crate) async fn start(plan: &GuestPlan<'_>) -> anyhow::Result<Self> {
        let root = plan.dir.join("root");
        std::fs::create_dir_all(&root)?;
        let init_data = plan.dir.join("initdata.toml");
        output::write(&init_data, plan.init_data.as_bytes())?;
        let (root_text, init_text) = (root.display().to_string(), init_data.display().to_string());
        let seed = "00".repeat(32);
        let mut arguments =
            vec!["--json", "emulate", "configfs-tsm", "--mount", &root_text, "--tee", plan.tee];
        arguments.extend(["--seed", &seed, "--init-data", &init_text]);
        arguments.extend(plan.options);
        let ready = |line: &Value| line.get("ready").map(|_| ());
        let this = std::env::current_exe()?;
        let (kernel, ()) = Program::start("the guest's kernel", &this, &arguments, &[], ready).await?;

        let rest = format!("127.0.0.1:{}", free_port().await?);
        let configuration = configuration(plan, &rest, &root_text, &init_text);
        let file = plan.dir.join("assay-agent.toml");
        output::write(&file, configuration.as_bytes())?;
        let program = match plan.agent {
            Some(program) => program.to_owned(),
            None => beside(&this)?,
        };
        let file = file.display().to_string();
        let environment = [("ASSAY_AGENT_LOG__LEVEL", "error")];
        let agent = Program::spawn("the agent", &program, &["-c", &file], &environment)?;
        let guest = GuestProcess { kernel, agent, rest, configuration };
        guest.listening().await?;
        Ok(guest)
    }

    /// Where REST is, as `host:port`.
    pub(crate) fn rest(&self) -> &str {
        &self.rest
    }

    /// The agent's configuration.
    pub(crate) fn configuration(&self) -> &str {
        &self.configuration
    }

    /// The agent's process.
    pub(crate) fn agent_pid(&self) -> u32 {
        self.agent.pid()
    }

    async fn listening(&self) -> anyhow::Result<()> {
        for _ in 0..150 {
            if TcpStream::connect(&self.rest).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("the agent did not listen within 30 seconds")
    }

    /// Ends the agent, then takes the kernel's files away.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.agent.stop().await?;
        self.kernel.stop().await
    }
}

fn configuration(plan: &GuestPlan<'_>, rest: &str, root: &str, init_data: &str) -> String {
    let (url, log) = (plan.url, plan.dir.join("log").display().to_string());
    let service = plan.passport_url.unwrap_or(url);
    let passport = if plan.passport_url.is_some() { "[token_configs.kbs]\npassport = true\n\n" } else { "" };
    format!(
        "kbs = \"{url}\"\n\n{passport}\
         [token_configs.coco_as]\nurl = \"{service}\"\n\n\
         [eventlog_config]\nenable_eventlog = true\ndirectory = \"{log}\"\n\n\
         [device]\nroot = \"{root}\"\n\n\
         [init_data]\ntoml_file = \"{init_data}\"\n\n\
         [[listener]]\naddress = \"{rest}\"\nprotocol = \"rest\"\n{}\n",
        plan.rules
    )
}

/// The agent's program stands beside this one.
fn beside(this: &Path) -> anyhow::Result<PathBuf> {
    let program = this.with_file_name("assay-agent");
    anyhow::ensure!(program.is_file(), "{} is not there: make build", program.display());
    Ok(program)
}

/// A port that was free a moment ago.
async fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
