//! Serving connections: TLS with and without client certificates, HTTP/1.1 and HTTP/2, limits, the graceful end.
