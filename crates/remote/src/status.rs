//! Errors as gRPC statuses: the one place that maps a fault to a code.

use assay_types::{Coded, Fault};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Status};

use crate::{CODE_HEADER, FAULT_HEADER};

/// The code for errors of this fault.
pub fn grpc_code(fault: Fault) -> Code {
    match fault {
        Fault::BadRequest | Fault::UnsupportedMediaType | Fault::NotAcceptable | Fault::HeadersTooLarge => {
            Code::InvalidArgument
        }
        // Trying again does not help before something else has changed.
        Fault::Evidence | Fault::Unprocessable | Fault::ReferenceMismatch | Fault::CollateralPermanent => {
            Code::FailedPrecondition
        }
        Fault::Unauthenticated => Code::Unauthenticated,
        Fault::Forbidden | Fault::PolicyDenied => Code::PermissionDenied,
        Fault::NotFound => Code::NotFound,
        Fault::MethodNotAllowed => Code::Unimplemented,
        Fault::RequestTimeout => Code::DeadlineExceeded,
        Fault::Conflict => Code::AlreadyExists,
        // As tonic does of a message beyond its limit.
        Fault::TooLarge => Code::OutOfRange,
        Fault::RateLimited => Code::ResourceExhausted,
        Fault::CollateralTransient | Fault::Unavailable | Fault::BadGateway => Code::Unavailable,
        _ => Code::Internal,
    }
}

/// The status for an error: its code and explanation in words, and code and fault in the metadata. Of what
/// went wrong here, others learn the code only; the rest is in the log.
pub fn status(error: &impl Coded) -> Status {
    let (code, fault) = (grpc_code(error.fault()), error.fault());
    let message = if code == Code::Internal {
        tracing::error!(code = error.code(), %error, "a call failed");
        format!("{}: internal error; the log says more", error.code())
    } else {
        format!("{}: {}", error.code(), crate::shown(&error.to_string()))
    };
    let mut status = Status::new(code, message);
    let fault = serde_json::to_value(fault).ok().and_then(|fault| fault.as_str().map(str::to_owned));
    let entries = [(CODE_HEADER, Some(error.code().to_owned())), (FAULT_HEADER, fault)];
    for (name, text) in entries {
        if let Some(value) = text.and_then(|text| AsciiMetadataValue::try_from(text).ok()) {
            status.metadata_mut().insert(name, value);
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RemoteError;
    use std::time::Duration;

    #[test]
    fn what_one_side_says_the_other_understands() {
        for fault in
            [Fault::BadRequest, Fault::Unprocessable, Fault::TooLarge, Fault::NotFound, Fault::Conflict]
        {
            let error = RemoteError::Refused { part: "x", message: "no".into(), code: None, fault };
            let back = RemoteError::of("part", Duration::from_secs(1), &status(&error));
            assert_eq!(back.fault(), fault);
            let RemoteError::Refused { code, message, .. } = back else { panic!("{back:?}") };
            assert_eq!(code.as_deref(), Some("RPC-004"));
            assert_eq!(message, "RPC-004: the x refuses: no");
        }
    }

    #[test]
    fn what_went_wrong_here_stays_here() {
        let error = RemoteError::Setting { part: "x", setting: "token_file", why: "/secret/place".into() };
        let status = status(&error);
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("place"), "{status:?}");
    }
}
