//! Trustee's messages, byte for byte: field numbers and types of `reference.proto`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_access::Role;
use assay_reference_values::proto::assay_v1::{GetSetRequest, SetPart};
use assay_reference_values::proto::reference::{
    ReferenceValueQueryRequest, ReferenceValueQueryResponse, ReferenceValueRegisterRequest,
    ReferenceValueRegisterResponse,
};
use assay_reference_values::{Protocol, ReferenceValueSource as _};
use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use serde_json::json;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use crate::world::{Part, Served, client_of, message};

pub(crate) const QUERY: &str = "/reference.ReferenceValueProviderService/QueryReferenceValue";
pub(crate) const REGISTER: &str = "/reference.ReferenceValueProviderService/RegisterReferenceValue";

/// Messages as their bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Bytes;
    type Decoder = Bytes;

    fn encoder(&mut self) -> Bytes {
        Bytes
    }

    fn decoder(&mut self) -> Bytes {
        Bytes
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

/// Sends these bytes to the method of that path.
pub(crate) async fn send(
    at: std::net::SocketAddr,
    path: &'static str,
    token: Option<&str>,
    body: Vec<u8>,
) -> Result<Vec<u8>, Status> {
    let channel = Endpoint::from_shared(format!("http://{at}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = Request::new(body);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    Ok(client.unary(request, path.parse().unwrap(), Bytes).await?.into_inner())
}

#[test]
fn the_messages_are_those_of_the_reference() {
    let query = ReferenceValueQueryRequest { reference_value_id: "abc".into() };
    assert_eq!(query.encode_to_vec(), b"\x0a\x03abc");
    let answer =
        |text: Option<&str>| ReferenceValueQueryResponse { reference_value_results: text.map(str::to_owned) };
    assert_eq!(answer(Some("[1]")).encode_to_vec(), b"\x0a\x03[1]");
    // Optional: an empty text is not the absence of one.
    assert_eq!(answer(Some("")).encode_to_vec(), b"\x0a\x00");
    assert_eq!(answer(None).encode_to_vec(), b"");
    assert_eq!(ReferenceValueQueryResponse::decode(&b"\x0a\x00"[..]).unwrap(), answer(Some("")));
    let register = ReferenceValueRegisterRequest { message: "{}".into() };
    assert_eq!(register.encode_to_vec(), b"\x0a\x02{}");
    assert_eq!(ReferenceValueRegisterResponse {}.encode_to_vec(), b"");
}

#[tokio::test]
async fn a_trustee_client_finds_what_it_expects() {
    let part = Part::new().await;
    let served = part.serve().await;
    let token = part.token(Role::ReferenceValueWriter).await;
    let text = String::from_utf8(message(&json!({ "a": ["x", 1], "b": true }))).unwrap();
    let mut register = vec![0x0a];
    prost::encoding::encode_varint(u64::try_from(text.len()).unwrap(), &mut register);
    register.extend_from_slice(text.as_bytes());
    assert_eq!(send(served.at, REGISTER, Some(&token), register).await.unwrap(), b"");
    for (query, answer) in [
        (&b"\x0a\x01a"[..], &b"\x0a\x07[\"x\",1]"[..]),
        (b"\x0a\x01b", b"\x0a\x04true"),
        (b"\x0a\x01c", b""),
        (b"", b""),
    ] {
        assert_eq!(send(served.at, QUERY, Some(&token), query.to_vec()).await.unwrap(), answer);
    }
    // An expired value is absent.
    part.values.expire("b").await.unwrap();
    assert_eq!(send(served.at, QUERY, Some(&token), b"\x0a\x01b".to_vec()).await.unwrap(), b"");
}

#[tokio::test]
async fn trustees_provider_finds_what_it_expects() {
    // What is not our code answers with fixed bytes, and keeps what came.
    let seen = Arc::new(Mutex::new(Vec::<(String, Vec<u8>)>::new()));
    let kept = Arc::clone(&seen);
    let handler = move |request: axum::extract::Request| {
        let kept = Arc::clone(&kept);
        async move {
            let path = request.uri().path().to_owned();
            let answer = answering(move |body: Vec<u8>| {
                let answer = if path == QUERY { b"\x0a\x03[7]".to_vec() } else { Vec::new() };
                kept.lock().unwrap().push((path.clone(), body));
                answer
            });
            Ok::<_, Infallible>(tonic::server::Grpc::new(Bytes).unary(answer, request).await)
        }
    };
    let served = Served::new(axum::Router::new().fallback(handler), None).await;
    let client = client_of(served.at, Protocol::Trustee, Duration::from_secs(10));
    assert_eq!(client.value("abc").await.unwrap(), Some(json!([7])));
    client.register(b"{\"payload\":\"\"}").await.unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[0], (QUERY.to_owned(), b"\x0a\x03abc".to_vec()));
    assert_eq!(seen[1], (REGISTER.to_owned(), b"\x0a\x0e{\"payload\":\"\"}".to_vec()));
}

/// A unary service from a function of bytes.
pub(crate) fn answering<F: Fn(Vec<u8>) -> Vec<u8> + Clone + Send + 'static>(answer: F) -> Answering<F> {
    Answering(answer)
}

pub(crate) struct Answering<F>(F);

impl<F: Fn(Vec<u8>) -> Vec<u8> + Clone + Send + 'static> tonic::server::UnaryService<Vec<u8>>
    for Answering<F>
{
    type Response = Vec<u8>;
    type Future = std::future::Ready<Result<tonic::Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new((self.0)(request.into_inner()))))
    }
}

#[test]
fn our_own_messages_keep_their_numbers() {
    assert_eq!(GetSetRequest { known_digest: vec![1, 2] }.encode_to_vec(), [0x0a, 2, 1, 2]);
    let part = SetPart { digest: vec![9], count: 300, unchanged: true, values: Vec::new() };
    assert_eq!(part.encode_to_vec(), [0x0a, 1, 9, 0x10, 0xac, 2, 0x18, 1]);
}
