//! Messages of prost on gRPC, where whoever sent what cannot be decoded is at fault.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use prost::Message;
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// Encodes `E`, decodes `D`, as tonic's own codec for prost does. But a request that cannot be decoded is
/// answered `INVALID_ARGUMENT`, where that one says `INTERNAL`, which would be ours.
pub struct Codec<E, D>(PhantomData<(E, D)>);

impl<E, D> fmt::Debug for Codec<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec")
    }
}

impl<E, D> Default for Codec<E, D> {
    fn default() -> Self {
        Codec(PhantomData)
    }
}

impl<E, D> tonic::codec::Codec for Codec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = Encode<E>;
    type Decoder = Decode<D>;

    fn encoder(&mut self) -> Encode<E> {
        Encode(ProstEncoder::default())
    }

    fn decoder(&mut self) -> Decode<D> {
        Decode(ProstDecoder::default())
    }
}

/// Encodes.
#[derive(Debug)]
pub struct Encode<E>(ProstEncoder<E>);

impl<E: Message> Encoder for Encode<E> {
    type Item = E;
    type Error = Status;

    fn encode(&mut self, item: E, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        self.0.encode(item, into)
    }
}

/// Decodes.
#[derive(Debug)]
pub struct Decode<D>(ProstDecoder<D>);

impl<D: Message + Default> Decoder for Decode<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        self.0.decode(from).map_err(|error| {
            let mut status =
                Status::invalid_argument(format!("the message cannot be decoded: {}", error.message()));
            // Stays here: a client knows by it that this is about an answer, and not from one.
            status.set_source(Arc::new(Undecodable));
            status
        })
    }
}

/// A message that cannot be decoded.
#[derive(Debug, thiserror::Error)]
#[error("the message cannot be decoded")]
pub(crate) struct Undecodable;
