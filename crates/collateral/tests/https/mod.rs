//! An HTTPS server on loopback with a certificate of its own, for the tests of clients.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A self-signed certificate, its own root.
pub(crate) struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    /// For the address 127.0.0.`last`.
    pub(crate) fn new(last: u8) -> Self {
        Identity::of_address(&[127, 0, 0, last])
    }

    /// For an IP address of 4 or 16 bytes.
    pub(crate) fn of_address(address: &[u8]) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key).unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let ecdsa_with_sha256 = sequence(&[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
        let common_name = sequence(&[&[6, 3, 0x55, 4, 3], &tlv(0x0c, b"test")]);
        let name = sequence(&[&tlv(0x31, &common_name)]);
        let validity = sequence(&[&tlv(0x17, b"200101000000Z"), &tlv(0x18, b"20991231235959Z")]);
        let alternative_name = sequence(&[&tlv(0x87, address)]);
        let extension = sequence(&[&[6, 3, 0x55, 0x1d, 0x11], &tlv(4, &alternative_name)]);
        let to_be_signed = sequence(&[
            &tlv(0xa0, &[2, 1, 2]),
            &[2, 1, 1],
            &ecdsa_with_sha256,
            &name,
            &validity,
            &name,
            public.as_ref(),
            &tlv(0xa3, &sequence(&[&extension])),
        ]);
        let signature = pair.sign(&random, &to_be_signed).unwrap();
        let signature = tlv(3, &[&[0], signature.as_ref()].concat());
        let certificate = sequence(&[&to_be_signed, &ecdsa_with_sha256, &signature]);
        Identity { certificate, key }
    }

    /// The certificate as PEM text.
    pub(crate) fn pem(&self) -> String {
        let text = BASE64_STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// Serves 127.0.0.1, giving `answer` to whatever is asked; the URL.
    pub(crate) async fn serve(&self, answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.serve_on(listener, answer)
    }

    /// Serves a socket; the URL.
    pub(crate) fn serve_on(&self, listener: TcpListener, answer: &'static str) -> String {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(self.certificate.clone())],
                PrivatePkcs8KeyDer::from(self.key.clone()).into(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not like the certificate goes away within the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4096]).await;
                let length = answer.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        url
    }
}

/// DER of one value; lengths up to 65535.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let mut out = vec![tag];
    match length {
        0..128 => out.push(low),
        128..256 => out.extend([0x81, low]),
        256.. => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(content);
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}
