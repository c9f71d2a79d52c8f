//! Intel's service as HTTP sees it: issuer chains in headers, paths served elsewhere, the API key.

use std::sync::Arc;
use std::time::Duration;

use super::double::{Double, Say, request};
use assay_collateral::{
    AttemptOutcome, CollateralService, CollateralServiceBuilder, ConfigurationError, HttpSettings,
    MemoryCache, Route, SecretHeader,
};
use assay_types::{
    Coded as _, CollateralKind, CollateralOrigin, CollateralRequest, Fault, FixedClock, ServedCollateral,
    UnixTime, Vendor,
};
use zeroize::Zeroizing;

const KEY: &str = "0123456789abcdef";

fn builder() -> CollateralServiceBuilder {
    CollateralService::builder(Arc::new(FixedClock::new(UnixTime(1000))))
        .cache(Arc::new(MemoryCache::default()))
}

fn with_key() -> HttpSettings {
    let value = Zeroizing::new(KEY.as_bytes().to_vec());
    let secret_header = Some(SecretHeader::new("Ocp-Apim-Subscription-Key", value).unwrap());
    HttpSettings { secret_header, ..HttpSettings::default() }
}

fn root_crl() -> CollateralRequest {
    CollateralRequest {
        kind: CollateralKind::Crl,
        description: "root CRL".into(),
        cache_key: "root-crl".into(),
        service_path: "/IntelSGXRootCA.der".into(),
        chain_headers: Vec::new(),
        ..request("root")
    }
}

fn route(url: String, hexadecimal: bool) -> Route {
    Route { prefix: "/IntelSGXRootCA.der".into(), url, hexadecimal, settings: HttpSettings::default() }
}

#[tokio::test]
async fn the_first_header_that_is_there_has_the_chain() {
    for (headers, chain) in [
        (&[("TCB-Info-Issuer-Chain", "a%0Ab")][..], "a\nb"),
        (&[("sgx-tcb-info-issuer-chain", "%2B")], "+"),
        (&[("SGX-TCB-Info-Issuer-Chain", "second"), ("TCB-Info-Issuer-Chain", "first")], "first"),
        (&[("Another-Issuer-Chain", "x")], ""),
        (&[], ""),
    ] {
        let say = headers.iter().fold(Say::body("{}\n"), |say, (name, value)| say.with(name, *value));
        let double = Double::start(say).await;
        let service =
            builder().vendor_service(Vendor::Intel, &double.url, HttpSettings::default()).build().unwrap();
        for origin in [
            CollateralOrigin::Service(format!("{}/tdx/certification/v4/tcb?fmspc=a", double.url)),
            CollateralOrigin::Cache,
        ] {
            let item = service.fetch(&request("a")).await.unwrap();
            let served = ServedCollateral { issuer_chain: chain.into(), body: b"{}\n".to_vec() };
            assert_eq!((ServedCollateral::from_bytes(&item.bytes), item.origin), (Some(served), origin));
        }
    }
}

#[tokio::test]
async fn a_chain_that_cannot_be_read_is_an_outcome_of_its_own() {
    for value in ["%".to_owned(), "%zz".into(), "%00".into(), "a".repeat((16 << 10) + 1)] {
        let double = Double::start(Say::body("{}").with("TCB-Info-Issuer-Chain", value)).await;
        let service =
            builder().vendor_service(Vendor::Intel, &double.url, HttpSettings::default()).build().unwrap();
        let error = service.fetch(&request("a")).await.unwrap_err();
        let AttemptOutcome::BadIssuerChain { header, .. } = &error.attempts()[2].outcome else {
            panic!("{error}")
        };
        assert_eq!(header, "TCB-Info-Issuer-Chain");
        double.say(Say::body("{}"));
        let item = service.fetch(&request("a")).await.unwrap();
        assert!(matches!(item.origin, CollateralOrigin::Service(_)), "it was kept");
    }
}

#[tokio::test]
async fn the_limit_is_that_of_the_body_whatever_the_chain() {
    let chain = "%0A".repeat(16 << 10);
    let double = Double::start(Say::body([b'x'; 4096]).with("TCB-Info-Issuer-Chain", chain)).await;
    let service =
        builder().vendor_service(Vendor::Intel, &double.url, HttpSettings::default()).build().unwrap();
    assert!(service.fetch(&request("a")).await.is_ok());
    assert_eq!(service.fetch(&request("a")).await.unwrap().origin, CollateralOrigin::Cache);
    double.say(Say::body([b'x'; 4097]));
    let error = service.fetch(&request("b")).await.unwrap_err();
    assert_eq!(error.attempts()[2].outcome, AttemptOutcome::TooLarge { limit: 4096 });
}

#[tokio::test]
async fn the_key_goes_to_its_origin_only_and_is_never_shown() {
    let (main, elsewhere) = (Double::start(Say::status(404)).await, Double::start(Say::body("der")).await);
    let service = builder()
        .vendor_service(Vendor::Intel, &main.url, with_key())
        .vendor_route(Vendor::Intel, route(format!("{}/IntelSGXRootCA.der", elsewhere.url), false))
        .build()
        .unwrap();
    let error = service.fetch(&request("a")).await.unwrap_err();
    for shown in [error.to_string(), format!("{error:?} {service:?} {:?}", with_key())] {
        assert!(!shown.contains(KEY), "{shown}");
    }
    assert_eq!(main.asked()[0].1["ocp-apim-subscription-key"], KEY);
    service.fetch(&root_crl()).await.unwrap();
    assert_eq!(elsewhere.asked()[0].0, "/IntelSGXRootCA.der");
    assert!(!elsewhere.asked()[0].1.contains_key("ocp-apim-subscription-key"));
    assert_eq!(main.count(), 1);
}

#[tokio::test]
async fn a_redirect_takes_the_key_nowhere() {
    let elsewhere = Double::start(Say::body("der")).await;
    let main = Double::start(Say::status(302).with("location", elsewhere.url.clone())).await;
    let service = builder().vendor_service(Vendor::Intel, &main.url, with_key()).build().unwrap();
    assert!(service.fetch(&request("a")).await.is_err());
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_route_replaces_its_prefix_and_has_its_own_pacing() {
    let (main, elsewhere) = (Double::start(Say::body("main")).await, Double::start(Say::status(429)).await);
    let service = builder()
        .vendor_service(Vendor::Intel, &main.url, HttpSettings::default())
        .vendor_route(Vendor::Intel, route(format!("{}/sgx/v4/rootcacrl", elsewhere.url), true))
        .build()
        .unwrap();
    let error = service.fetch(&root_crl()).await.unwrap_err();
    assert_eq!(elsewhere.asked()[0].0, "/sgx/v4/rootcacrl");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(10)));
    // The one that asked for rest is not the other.
    assert!(service.fetch(&request("a")).await.is_ok());
    for (path, asked) in [
        ("/IntelSGXRootCA.derivative", "/IntelSGXRootCA.derivative"),
        ("/other/IntelSGXRootCA.der", "/other/IntelSGXRootCA.der"),
    ] {
        let request = CollateralRequest { service_path: path.into(), cache_key: path.into(), ..root_crl() };
        service.fetch(&request).await.unwrap();
        assert_eq!(main.asked().last().unwrap().0, asked);
    }
    let error = service.fetch(&root_crl()).await.unwrap_err();
    assert!(matches!(error.attempts()[2].outcome, AttemptOutcome::Paused { .. }), "{error}");
    assert_eq!(error.fault(), Fault::CollateralTransient);
    assert_eq!(elsewhere.count(), 1);
}

#[tokio::test]
async fn hexadecimal_digits_are_decoded_where_the_route_says_so() {
    let der = [0x30_u8, 0x82, 0x01, 0x00];
    for (said, hexadecimal, kept) in [
        (&b"30820100\n"[..], true, &der[..]),
        (b"30820100", false, b"30820100"),
        (&der, true, &der),
        (b"3082010", true, b"3082010"),
    ] {
        let elsewhere = Double::start(Say::body(said)).await;
        let service = builder()
            .vendor_service(Vendor::Intel, &elsewhere.url, HttpSettings::default())
            .vendor_route(Vendor::Intel, route(elsewhere.url.clone(), hexadecimal))
            .build()
            .unwrap();
        assert_eq!(&service.fetch(&root_crl()).await.unwrap().bytes[..], kept);
    }
    // The limit is that of what the digits stand for.
    let elsewhere = Double::start(Say::body([b'a'; 8])).await;
    let service = builder()
        .vendor_service(Vendor::Intel, &elsewhere.url, HttpSettings::default())
        .vendor_route(Vendor::Intel, route(elsewhere.url.clone(), true))
        .build()
        .unwrap();
    for (max_len, fits) in [(4, true), (3, false)] {
        let request = CollateralRequest { max_len, cache_key: max_len.to_string(), ..root_crl() };
        assert_eq!(service.fetch(&request).await.is_ok(), fits);
    }
}

#[test]
fn routes_that_cannot_be_used_are_refused() {
    let build = |route: Route| {
        builder()
            .vendor_service(Vendor::Intel, "http://127.0.0.1:1", HttpSettings::default())
            .vendor_route(Vendor::Intel, route)
            .build()
    };
    let good = route("http://127.0.0.1:2/x".into(), false);
    assert!(build(good.clone()).is_ok());
    let no_slash = build(Route { prefix: "IntelSGXRootCA.der".into(), ..good.clone() }).unwrap_err();
    assert!(matches!(no_slash, ConfigurationError::Url { .. }), "{no_slash}");
    let plain = build(Route { url: "http://pccs.example/x".into(), ..good }).unwrap_err();
    assert!(matches!(plain, ConfigurationError::PlainHttp { .. }), "{plain}");
}
