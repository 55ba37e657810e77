//! To the `test_env.py` of one test, which ends where its input does, and the emulator with it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::test_env::{python, root};

pub struct Link {
    input: Option<Box<dyn Write>>,
    output: BufReader<Box<dyn Read>>,
    other_end: OtherEnd,
}

enum OtherEnd {
    /// Started for this test.
    Process(Child),
    /// Forked for this test from the `test_env_server.py` that nextest started.
    Fork(UnixStream),
}

impl Link {
    /// To a new emulator.
    pub fn open(emulator: &str) -> Self {
        match std::env::var_os("HOLDFAST_TEST_ENV") {
            Some(socket) => Self::fork(Path::new(&socket), emulator),
            None => Self::start(emulator),
        }
    }

    fn start(emulator: &str) -> Self {
        let mut child = Command::new(python())
            .arg(root().join("tests/emulators/test_env.py"))
            .arg(emulator)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("test_env.py starts");
        Self {
            input: Some(Box::new(child.stdin.take().expect("stdin"))),
            output: BufReader::new(Box::new(child.stdout.take().expect("stdout"))),
            other_end: OtherEnd::Process(child),
        }
    }

    fn fork(server: &Path, emulator: &str) -> Self {
        let socket = UnixStream::connect(server).expect("test_env_server.py listens");
        let another = || socket.try_clone().expect("a second handle");
        let mut input = another();
        writeln!(input, "{emulator}").expect("sent");
        Self {
            input: Some(Box::new(input)),
            output: BufReader::new(Box::new(another())),
            other_end: OtherEnd::Fork(socket),
        }
    }

    pub fn send(&mut self, command: &Value) {
        writeln!(self.input.as_mut().expect("open"), "{command}").expect("test_env.py listens");
    }

    pub fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("test_env.py answers");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("test_env.py ended or said {line:?}: {e}"))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.input.take());
        if let OtherEnd::Fork(socket) = &self.other_end {
            let _ = socket.shutdown(Shutdown::Write);
        }
        // Until it has ended.
        let _ = self.output.read_to_end(&mut vec![]);
        if let OtherEnd::Process(child) = &mut self.other_end {
            let _ = child.wait();
        }
    }
}
