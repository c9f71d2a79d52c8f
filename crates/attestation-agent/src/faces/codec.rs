//! Messages on gRPC: those of prost, but what cannot be decoded is the caller's fault. Tonic's own codec
//! says `INTERNAL` then, which would be ours.

use std::marker::PhantomData;

use bytes::BufMut;
use prost::Message;
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::answer;
use super::calls::Wipe;
use crate::error::AgentError;

/// Encodes `E`, decodes `D`.
#[derive(Debug)]
pub(crate) struct Codec<E, D>(PhantomData<(E, D)>);

impl<E, D> Default for Codec<E, D> {
    fn default() -> Self {
        Codec(PhantomData)
    }
}

impl<E: Message + Wipe + Send + 'static, D: Message + Default + Send + 'static> tonic::codec::Codec
    for Codec<E, D>
{
    type Encode = E;
    type Decode = D;
    type Encoder = Encode<E>;
    type Decoder = Decode<D>;

    fn encoder(&mut self) -> Encode<E> {
        Encode(PhantomData)
    }

    fn decoder(&mut self) -> Decode<D> {
        Decode(PhantomData)
    }
}

/// Encodes.
#[derive(Debug)]
pub(crate) struct Encode<E>(PhantomData<E>);

/// Writes a message and wipes what is secret in it. What tonic and HTTP/2 hold of it then is beyond us.
fn write<E: Message + Wipe>(mut item: E, into: &mut impl BufMut) -> Result<(), Status> {
    let written = item.encode(into).map_err(|error| Status::internal(error.to_string()));
    item.wipe();
    written
}

impl<E: Message + Wipe> Encoder for Encode<E> {
    type Item = E;
    type Error = Status;

    fn encode(&mut self, item: E, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        write(item, into)
    }
}

/// Decodes.
#[derive(Debug)]
pub(crate) struct Decode<D>(PhantomData<D>);

impl<D: Message + Default> Decoder for Decode<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        D::decode(from).map(Some).map_err(|error| {
            let error = AgentError::BadRequest(format!("the message cannot be decoded: {error}"));
            Status::invalid_argument(answer::text(&error))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use prost::DecodeError;
    use prost::encoding::{DecodeContext, WireType};

    use super::*;
    use crate::proto::attestation_agent::GetTokenResponse;
    use crate::proto::confidential_data_hub::{GetResourceResponse, UnsealSecretOutput};

    /// A message that counts how often it is wiped.
    #[derive(Clone, Debug, Default)]
    struct Probe(Arc<AtomicUsize>);

    impl Message for Probe {
        fn encode_raw(&self, buf: &mut impl BufMut) {
            assert_eq!(self.0.load(Ordering::SeqCst), 0, "it is wiped before it is written");
            buf.put_slice(b"probe");
        }
        fn merge_field(
            &mut self,
            _: u32,
            _: WireType,
            _: &mut impl bytes::Buf,
            _: DecodeContext,
        ) -> Result<(), DecodeError> {
            Ok(())
        }
        fn encoded_len(&self) -> usize {
            5
        }
        fn clear(&mut self) {}
    }

    impl Wipe for Probe {
        fn wipe(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_message_is_wiped_once_it_is_written_or_cannot_be() {
        let (probe, mut bytes) = (Probe::default(), Vec::new());
        write(probe.clone(), &mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), probe.0.load(Ordering::SeqCst)), (&b"probe"[..], 1));
        let probe = Probe::default();
        let mut short = [0; 2];
        write(probe.clone(), &mut &mut short[..]).unwrap_err();
        assert_eq!(probe.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn messages_with_secrets_are_empty_after_the_wipe() {
        let secret = || b"secret".to_vec();
        let mut token = GetTokenResponse { token: secret() };
        let mut resource = GetResourceResponse { resource: secret() };
        let mut unsealed = UnsealSecretOutput { plaintext: secret() };
        token.wipe();
        resource.wipe();
        unsealed.wipe();
        assert!(token.token.is_empty() && resource.resource.is_empty() && unsealed.plaintext.is_empty());
    }
}
