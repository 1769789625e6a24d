//! The new gateway's side.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::SocketType;
use stoker_config::Address;
use stoker_gateway::Bound;
use stoker_scaler::Clock;
use stoker_scaler::handover::{Estate, Message, Receiver, Sender, VERSION, channel};

/// For the former gateway to say what it offers, which it does at once.
const OFFER: Duration = Duration::from_secs(10);
/// For the answer that this one cannot to be read.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Numbers in one message: far below what a message may take.
const CHUNK: usize = 4096;

/// A new gateway's claim to what the former one has.
#[derive(Debug)]
pub struct Claim {
    sender: Sender,
    receiver: Receiver,
    /// Where callers connect to the former gateway.
    pub listeners: Vec<Bound>,
    /// Where administrators connect to it.
    pub admin: Vec<Bound>,
    /// The lock of the state directory.
    pub lock: Option<OwnedFd>,
    state_dir: PathBuf,
    origin_nanos: u64,
}

impl Claim {
    /// Takes the socket to the former gateway from standard input, which becomes /dev/null, and
    /// hears what is offered.
    ///
    /// # Errors
    /// If standard input is no gateway, or one of a release that speaks otherwise.
    pub async fn receive() -> io::Result<Claim> {
        let (sender, receiver) = channel(take_standard_input()?)?;
        let mut claim = Claim {
            sender,
            receiver,
            listeners: Vec::new(),
            admin: Vec::new(),
            lock: None,
            state_dir: PathBuf::new(),
            origin_nanos: 0,
        };
        match tokio::time::timeout(OFFER, claim.hear_offer()).await {
            Ok(Ok(())) => Ok(claim),
            Ok(Err(error)) => {
                claim.fail(&error.to_string()).await;
                Err(error)
            }
            Err(_) => Err(io::Error::other("the former gateway offers nothing")),
        }
    }

    /// The clock that the former gateway's pools go by.
    pub fn clock(&self) -> Clock {
        Clock::continuing(self.origin_nanos)
    }

    /// Whether the state directory is the former gateway's.
    ///
    /// # Errors
    /// If it is another one.
    pub fn check_state_dir(&self, wanted: &Path) -> io::Result<()> {
        if self.state_dir == wanted {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "state-dir is {} and was {}: it takes effect with the next start only",
            wanted.display(),
            self.state_dir.display()
        )))
    }

    /// Tells the former gateway why this one cannot, and that it ends.
    pub async fn fail(&self, reason: &str) {
        // A long list of errors is cut; all of it is in the log.
        let reason = reason.chars().take(8192).collect();
        self.sender.send(&Message::Failed { reason }, None).ok();
        tokio::time::timeout(LAST_WORD, self.sender.flush())
            .await
            .ok();
    }

    /// Says that all is prepared; what the former gateway leaves, once it has frozen.
    ///
    /// # Errors
    /// If it is gone, which it is too if it has changed its mind.
    pub async fn estate(&mut self) -> io::Result<Estate> {
        self.sender.send(&Message::Ready, None)?;
        Estate::receive(&mut self.receiver).await
    }

    /// The way to the former gateway.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Says that these functions go on here and that requests are accepted. Calls `serve` with all
    /// that is asked from then on, answers when the former gateway has departed or is gone, and
    /// goes on in the future that it answers with.
    pub async fn serve<F>(
        mut self,
        claimed: &[u32],
        serve: F,
    ) -> io::Result<impl Future<Output = ()> + Send + use<F>>
    where
        F: Fn(Message) + Send + 'static,
    {
        for functions in claimed.chunks(CHUNK) {
            let functions = functions.to_vec();
            self.sender.send(&Message::Claimed { functions }, None)?;
        }
        self.sender.send(&Message::Serving, None)?;
        let mut lives = true;
        loop {
            match self.receiver.receive().await {
                Ok(Some((Message::Departed, _))) => break,
                Ok(Some((message, _))) => serve(message),
                // It was killed just now, and there is nobody but us.
                Ok(None) | Err(_) => {
                    lives = false;
                    break;
                }
            }
        }
        let mut receiver = self.receiver;
        Ok(async move {
            while lives {
                match receiver.receive().await {
                    Ok(Some((message, _))) => serve(message),
                    Ok(None) | Err(_) => lives = false,
                }
            }
        })
    }

    async fn hear_offer(&mut self) -> io::Result<()> {
        loop {
            let heard = self.receiver.receive().await?;
            let Some((message, descriptor)) = heard else {
                return Err(io::Error::other("the former gateway is gone"));
            };
            match (message, descriptor) {
                (
                    Message::Offer {
                        version,
                        release,
                        state_dir,
                        origin_nanos,
                    },
                    _,
                ) => {
                    if version != VERSION {
                        return Err(io::Error::other(format!(
                            "release {release} hands over in version {version}, this release in \
                             {VERSION}: stop that gateway and start this one instead"
                        )));
                    }
                    (self.state_dir, self.origin_nanos) = (state_dir, origin_nanos);
                }
                (
                    Message::Descriptor {
                        kind,
                        wanted,
                        actual,
                    },
                    Some(descriptor),
                ) => self.take(&kind, (&wanted, &actual), descriptor)?,
                (Message::OfferEnd, _) => return Ok(()),
                (other, _) => {
                    let detail = format!("the former gateway offers {other:?}");
                    return Err(io::Error::other(detail));
                }
            }
        }
    }

    fn take(
        &mut self,
        kind: &str,
        (wanted, actual): (&str, &str),
        socket: OwnedFd,
    ) -> io::Result<()> {
        if kind == "lock" {
            self.lock = Some(socket);
            return Ok(());
        }
        let address = |text: &str| {
            let parsed = text.parse::<Address>();
            parsed.map_err(|_| io::Error::other(format!("{text:?} is offered, but no address")))
        };
        let bound = Bound {
            wanted: address(wanted)?,
            actual: address(actual)?,
            socket,
        };
        match kind {
            "listen" => self.listeners.push(bound),
            "admin" => self.admin.push(bound),
            // Something that a later release knows; it is closed here.
            _ => {}
        }
        Ok(())
    }
}

/// The socket that the former gateway gave.
fn take_standard_input() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    if rustix::net::sockopt::socket_type(&socket).ok() != Some(SocketType::SEQPACKET) {
        let detail = "standard input is no gateway: `stoker upgrade` starts the new one itself";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, detail));
    }
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(socket)
}
