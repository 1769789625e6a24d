//! A directory with a gateway's file and its functions.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Gateway, program};

/// Ports of one gateway.
const PORTS: u32 = 100;
/// The first and the last port that gateways of tests may use: below what Linux gives to outgoing
/// connections.
const FIRST_PORT: u32 = 10_000;
const LAST_PORT: u32 = 32_699;

/// A directory with a gateway's file and its functions; removed when this is dropped.
pub(crate) struct Site {
    directory: PathBuf,
    /// Locked for as long as the ports are ours.
    _ports: File,
}

impl Site {
    /// A site whose gateway file has these lines besides what every test needs.
    pub(crate) fn new(lines: &str) -> Site {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let own = std::process::id();
        // Short, for paths of Unix sockets below it are.
        let directory = PathBuf::from(format!("/tmp/st-{own}-{count}"));
        fs::create_dir_all(directory.join("functions")).expect("/tmp can be written to");
        let (first, ports) = claim_ports(own.wrapping_mul(41).wrapping_add(count));
        let text = format!(
            "listen = [\"127.0.0.1:0\"]\nstate-dir = \"state\"\nports = \"{first}-{}\"\n{lines}\n",
            first + PORTS - 1
        );
        fs::write(directory.join("stoker.toml"), text).expect("the file can be written");
        Site {
            directory,
            _ports: ports,
        }
    }

    /// Adds a function.
    pub(crate) fn function(self, name: &str, function: &Function) -> Site {
        fs::create_dir_all(self.directory.join("functions").join(name)).expect("can be made");
        fs::write(self.manifest(name), function.manifest()).expect("the manifest can be written");
        if let Some(handler) = &function.handler {
            let file = self.manifest(name).with_file_name(handler.file());
            fs::write(file, &handler.text).expect("the handler can be written");
        }
        self
    }

    /// Starts the gateway and waits until it accepts.
    pub(crate) fn start(self) -> Gateway {
        Gateway::start(self)
    }

    /// Where all of it is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The gateway's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("stoker.toml")
    }

    /// Where a gateway that is started tells its service manager, if there is something.
    pub(crate) fn notify(&self) -> PathBuf {
        self.directory.join("notify")
    }

    /// A function's manifest.
    pub(crate) fn manifest(&self, name: &str) -> PathBuf {
        self.directory
            .join("functions")
            .join(name)
            .join("function.toml")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Nothing depends on it.
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// What a runner of Stoker's runs.
#[derive(Clone)]
struct Handler {
    runtime: &'static str,
    text: String,
}

impl Handler {
    fn file(&self) -> &'static str {
        match self.runtime {
            "python" => "main.py",
            _ => "main.mjs",
        }
    }
}

/// A range of ports that no other gateway of a test has, of this process or any other: its first one
/// and the lock on it. An instance that is taken to listen because that of another test does is a
/// failure that nobody understands.
fn claim_ports(attempt: u32) -> (u32, File) {
    let ranges = (LAST_PORT + 1 - FIRST_PORT) / PORTS;
    let claimed = (0..ranges).find_map(|step| {
        let first = FIRST_PORT + (attempt % ranges + step) % ranges * PORTS;
        let file = File::create(format!("/tmp/st-ports-{first}.lock")).ok()?;
        file.try_lock().ok().map(|()| (first, file))
    });
    claimed.expect("there are more ports than gateways of tests")
}

/// A function to be.
#[derive(Clone)]
pub(crate) struct Function {
    command: Vec<String>,
    listen: &'static str,
    contract: &'static str,
    handler: Option<Handler>,
    environment: Vec<(String, String)>,
    tables: String,
}

impl Function {
    /// The fixture, which gets its socket in this way.
    pub(crate) fn fixture(listen: &'static str) -> Function {
        let stoker = Path::new(env!("CARGO_BIN_EXE_stoker"));
        let fixture = stoker.with_file_name("stoker-fixture");
        let path = fixture.display().to_string();
        assert!(
            fixture.exists(),
            "there is no {path}: run `make test`, it builds stoker-fixture first"
        );
        Function::new(listen, &[&path])
    }

    /// Any program.
    pub(crate) fn new(listen: &'static str, command: &[&str]) -> Function {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Function {
            command,
            listen,
            contract: "http",
            handler: None,
            environment: Vec::new(),
            tables: String::new(),
        }
    }

    /// A handler in `python` (called `handler`) or for `node` (the default export).
    pub(crate) fn handler(runtime: &'static str, text: &str) -> Function {
        let text = text.to_owned();
        Function {
            handler: Some(Handler { runtime, text }),
            ..Function::new("inherit", &[])
        }
    }

    /// A script of `tests/it/protocols/programs`, in Python or for Node by its name.
    pub(crate) fn script(listen: &'static str, name: &str) -> Function {
        let path = program::script_path(name);
        if name.ends_with(".py") {
            Function::new(listen, &[&program::python(), &path])
        } else {
            Function::new(listen, &["node", &path])
        }
    }

    /// One that is spoken to in HTTP/2.
    pub(crate) fn h2c(mut self) -> Function {
        self.contract = "h2c";
        self
    }

    /// One of so many instances, which do so much at once.
    pub(crate) fn scaling(self, concurrency: u32, max_scale: u32, more: &str) -> Function {
        self.with(&format!(
            "[scaling]\nconcurrency = {concurrency}\nmax-scale = {max_scale}\n{more}"
        ))
    }

    /// A variable of the program's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Function {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Further tables of the manifest.
    pub(crate) fn with(mut self, tables: &str) -> Function {
        self.tables.push_str(tables);
        self.tables.push('\n');
        self
    }

    /// The manifest's text.
    pub(crate) fn manifest(&self) -> String {
        let mut text = match &self.handler {
            None => format!("command = {:?}\n", self.command),
            Some(it) if it.runtime == "python" => {
                "runtime = \"python\"\nhandler = \"main:handler\"\n".to_owned()
            }
            Some(_) => "runtime = \"node\"\nhandler = \"main.mjs\"\n".to_owned(),
        };
        writeln!(
            text,
            "listen = {:?}\ncontract = {:?}",
            self.listen, self.contract
        )
        .expect("a text takes all");
        text.push_str("[environment]\n");
        for (name, value) in &self.environment {
            writeln!(text, "{name} = {value:?}").expect("a text takes all");
        }
        text.push_str(&self.tables);
        text
    }
}
