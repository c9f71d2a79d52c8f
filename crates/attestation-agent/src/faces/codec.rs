//! Messages on gRPC: those of prost, but what cannot be decoded is the caller's fault. Tonic's own codec
//! says `INTERNAL` then, which would be ours.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::answer;
use crate::error::AgentError;

/// Encodes `E`, decodes `D`.
#[derive(Debug)]
pub(crate) struct Codec<E, D>(PhantomData<(E, D)>);

impl<E, D> Default for Codec<E, D> {
    fn default() -> Self {
        Codec(PhantomData)
    }
}

impl<E: Message + Send + 'static, D: Message + Default + Send + 'static> tonic::codec::Codec for Codec<E, D> {
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

impl<E: Message> Encoder for Encode<E> {
    type Item = E;
    type Error = Status;

    fn encode(&mut self, item: E, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(into).map_err(|error| Status::internal(error.to_string()))
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
