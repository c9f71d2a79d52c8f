//! A ttRPC client of the agent, for the command line.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_types::{Coded, Fault, SecretBytes};
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tonic::Code;
use zeroize::Zeroizing;

use super::Method;
use super::ttrpc::frame::{self, Frame, FrameReader, Header, Request, Response};
use crate::api::{Extended, RuntimeEvent, TokenKind};
use crate::proto::attestation_agent as aa;
use crate::proto::confidential_data_hub as cdh;

/// How long a call may take, unless told otherwise: as long as the agent gives itself.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nobody serves the socket, or not for us.
    #[error("cannot connect to the agent at {}: {error}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The agent says no.
    #[error("{code:?}: {text}")]
    Refused {
        /// The status.
        code: Code,
        /// The agent's code and cause, `<CODE>: <text>`.
        text: String,
    },
    /// There was no answer in time.
    #[error("no answer within {} ms", deadline.as_millis())]
    Late {
        /// The time.
        deadline: Duration,
    },
    /// The connection broke. What became of the call is not known.
    #[error("the connection to the agent: {0}")]
    Broken(io::Error),
    /// What came is no answer to what was asked.
    #[error("the agent does not speak ttRPC as it must: {0}")]
    Protocol(String),
}

impl Coded for CallError {
    fn code(&self) -> &'static str {
        match self {
            CallError::Connect { .. } => "AGC-001",
            CallError::Refused { .. } => "AGC-002",
            CallError::Late { .. } => "AGC-003",
            CallError::Broken(_) => "AGC-004",
            CallError::Protocol(_) => "AGC-005",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            CallError::Refused { code, .. } => match code {
                Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => Fault::BadRequest,
                Code::NotFound => Fault::NotFound,
                Code::PermissionDenied => Fault::Forbidden,
                Code::Unauthenticated => Fault::Unauthenticated,
                Code::FailedPrecondition => Fault::Unprocessable,
                Code::ResourceExhausted => Fault::RateLimited,
                Code::Unavailable | Code::DeadlineExceeded => Fault::Unavailable,
                _ => Fault::Internal,
            },
            _ => Fault::Unavailable,
        }
    }
}

/// A connection to the agent: one call at a time.
pub struct AgentClient {
    frames: FrameReader<tokio::net::unix::OwnedReadHalf>,
    writer: tokio::net::unix::OwnedWriteHalf,
    stream: u32,
    deadline: Duration,
    /// After a call that was cut off, what comes next could be the answer to it.
    broken: bool,
}

impl AgentClient {
    /// Connects to the agent's ttRPC socket.
    ///
    /// # Errors
    /// [`CallError::Connect`].
    pub async fn connect(path: &Path) -> Result<Self, CallError> {
        let failed = |error| CallError::Connect { path: path.to_owned(), error };
        let (reader, writer) = UnixStream::connect(path).await.map_err(failed)?.into_split();
        let frames = FrameReader::new(reader, frame::MAX_PAYLOAD, DEADLINE);
        Ok(AgentClient { frames, writer, stream: 1, deadline: DEADLINE, broken: false })
    }

    /// Waits at most so long for each answer. The agent is told, and stops working then.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        AgentClient { deadline, ..self }
    }

    /// Evidence, JSON in UTF-8.
    ///
    /// # Errors
    /// [`CallError`], as for every call.
    pub async fn evidence(&mut self, runtime_data: &[u8]) -> Result<Vec<u8>, CallError> {
        let request = aa::GetEvidenceRequest { runtime_data: runtime_data.to_vec() };
        let answer: aa::GetEvidenceResponse = self.call(Method::GetEvidence, &request).await?;
        Ok(answer.evidence)
    }

    /// The evidence of devices; empty without any.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn additional_evidence(&mut self, runtime_data: &[u8]) -> Result<Vec<u8>, CallError> {
        let request = aa::GetAdditionalEvidenceRequest { runtime_data: runtime_data.to_vec() };
        let answer: aa::GetEvidenceResponse = self.call(Method::GetAdditionalEvidence, &request).await?;
        Ok(answer.evidence)
    }

    /// A token, in the form of [`Api::token`](crate::api::Api::token).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn token(&mut self, kind: TokenKind) -> Result<SecretBytes, CallError> {
        let request = aa::GetTokenRequest { token_type: kind.as_str().to_owned() };
        let answer: aa::GetTokenResponse = self.call(Method::GetToken, &request).await?;
        Ok(SecretBytes::new(answer.token))
    }

    /// Measures an event.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn extend(&mut self, event: RuntimeEvent) -> Result<Extended, CallError> {
        let request = aa::ExtendRuntimeMeasurementRequest {
            domain: event.domain,
            operation: event.operation,
            content: event.content,
            register_index: event.pcr,
        };
        let answer: aa::ExtendRuntimeMeasurementResponse =
            self.call(Method::ExtendRuntimeMeasurement, &request).await?;
        match aa::RuntimeMeasurementResult::try_from(answer.result) {
            Ok(aa::RuntimeMeasurementResult::Ok) => Ok(Extended::Done),
            Ok(aa::RuntimeMeasurementResult::NotSupported) => Ok(Extended::NotSupported),
            Ok(aa::RuntimeMeasurementResult::NotEnabled) => Ok(Extended::NotEnabled),
            Err(_) => Err(CallError::Protocol(format!("the result {} is not known", answer.result))),
        }
    }

    /// Compares the digest of the init data.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn bind_init_data(&mut self, digest: &[u8]) -> Result<(), CallError> {
        let request = aa::BindInitDataRequest { digest: digest.to_vec() };
        let aa::BindInitDataResponse {} = self.call(Method::BindInitData, &request).await?;
        Ok(())
    }

    /// The name of the TEE.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn tee_type(&mut self) -> Result<String, CallError> {
        let answer: aa::GetTeeTypeResponse = self.call(Method::GetTeeType, &aa::GetTeeTypeRequest {}).await?;
        Ok(answer.tee)
    }

    /// The names of the devices.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn additional_tees(&mut self) -> Result<Vec<String>, CallError> {
        let request = aa::GetAdditionalTeesRequest {};
        let answer: aa::GetAdditionalTeesResponse = self.call(Method::GetAdditionalTees, &request).await?;
        Ok(answer.additional_tees)
    }

    /// The secret that a sealed secret stands for.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn unseal(&mut self, sealed: &[u8]) -> Result<SecretBytes, CallError> {
        let request = cdh::UnsealSecretInput { secret: sealed.to_vec() };
        let answer: cdh::UnsealSecretOutput = self.call(Method::UnsealSecret, &request).await?;
        Ok(SecretBytes::new(answer.plaintext))
    }

    /// What stands at a resource URI.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn resource(&mut self, uri: &str) -> Result<SecretBytes, CallError> {
        let request = cdh::GetResourceRequest { resource_path: uri.to_owned() };
        let answer: cdh::GetResourceResponse = self.call(Method::GetResource, &request).await?;
        Ok(SecretBytes::new(answer.resource))
    }

    async fn call<A: prost::Message + Default>(
        &mut self,
        method: Method,
        request: &impl prost::Message,
    ) -> Result<A, CallError> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(CallError::Broken(io::ErrorKind::NotConnected.into()));
        }
        let deadline = self.deadline;
        let exchanged = tokio::time::timeout(deadline, self.exchange(method, request.encode_to_vec()));
        let payload = exchanged.await.map_err(|_| CallError::Late { deadline })?;
        // Whatever the agent said, it was an answer to this call.
        self.broken = !matches!(payload, Ok(_) | Err(CallError::Refused { .. }));
        A::decode(payload?.as_slice()).map_err(|error| CallError::Protocol(error.to_string()))
    }

    async fn exchange(&mut self, method: Method, payload: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let (service, name) = method.names();
        let stream = self.stream;
        self.stream = self.stream.wrapping_add(2);
        let request = Request {
            service: service.to_owned(),
            method: name.to_owned(),
            payload,
            timeout_nano: i64::try_from(self.deadline.as_nanos()).unwrap_or(0),
        };
        let length = request.encoded_len();
        if length > frame::MAX_PAYLOAD {
            return Err(CallError::Protocol(format!("a request of {length} bytes is too long")));
        }
        let header = Header {
            length: u32::try_from(length).unwrap_or(u32::MAX),
            stream,
            kind: frame::REQUEST,
            flags: 0,
        };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(&request.encode_to_vec());
        self.writer.write_all(&bytes).await.map_err(CallError::Broken)?;
        let closed = || CallError::Broken(io::ErrorKind::UnexpectedEof.into());
        let (header, payload) =
            match self.frames.next().await.map_err(CallError::Broken)?.ok_or_else(closed)? {
                Frame::Whole(header, payload) => (header, payload),
                Frame::TooLong(header) | Frame::NoRoom(header) => {
                    return Err(CallError::Protocol(format!("an answer of {} bytes", header.length)));
                }
            };
        if header.stream != stream || header.kind != frame::RESPONSE {
            return Err(CallError::Protocol(format!(
                "a frame of type {} on stream {}; expected is type {} on {stream}",
                header.kind,
                header.stream,
                frame::RESPONSE
            )));
        }
        let response = Response::decode(payload).map_err(|error| CallError::Protocol(error.to_string()))?;
        match response.status {
            Some(status) if status.code != 0 => {
                Err(CallError::Refused { code: Code::from(status.code), text: status.message })
            }
            _ => Ok(Zeroizing::new(response.payload)),
        }
    }
}
