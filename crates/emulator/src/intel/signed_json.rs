//! JSON that the vendor signs: TCB info and identities.

use serde::Serialize;

use crate::ec_key::EcKey;

/// What happens to signed JSON after it was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AfterSigning {
    /// Nothing: the text that was signed is the text that is sent.
    #[default]
    Unchanged,
    /// The last bit of the signature is flipped.
    BrokenSignature,
    /// The same JSON is sent with spaces and line feeds in it.
    Reserialised,
    /// Another text is sent.
    Text(String),
    /// Another signature is sent.
    Signature(Vec<u8>),
}

/// Signed JSON before it is signed.
#[derive(Clone, Debug)]
pub struct SignedJson<T> {
    /// What it says.
    pub content: T,
    /// A text that is signed instead of `content`: for JSON that `content` cannot express.
    pub text: Option<String>,
    /// The key that signs.
    pub signer: EcKey,
    /// What happens then.
    pub after: AfterSigning,
}

/// Signed JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedJson {
    /// The text.
    pub text: String,
    /// The signature: r || s, 64 bytes with a key on P-256.
    pub signature: Vec<u8>,
}

impl<T: Serialize> SignedJson<T> {
    pub(super) fn new(content: T, signer: EcKey) -> Self {
        SignedJson { content, text: None, signer, after: AfterSigning::Unchanged }
    }

    /// The text that is signed: `text`, or `content` without white space, its members in Intel's order.
    pub fn signed_text(&self) -> String {
        // Contents are structures of texts and numbers, which JSON can always express.
        self.text.clone().unwrap_or_else(|| serde_json::to_string(&self.content).unwrap_or_default())
    }

    /// Changes the text that is signed.
    pub fn edit_text(&mut self, edit: impl FnOnce(String) -> String) {
        self.text = Some(edit(self.signed_text()));
    }

    /// Signs the exact bytes of the text.
    pub fn issue(&self) -> IssuedJson {
        let text = self.signed_text();
        let mut signature = self.signer.sign(text.as_bytes());
        match &self.after {
            AfterSigning::Unchanged => IssuedJson { text, signature },
            AfterSigning::BrokenSignature => {
                if let Some(last) = signature.last_mut() {
                    *last ^= 1;
                }
                IssuedJson { text, signature }
            }
            AfterSigning::Reserialised => {
                let text = serde_json::to_string_pretty(&self.content).unwrap_or_default();
                IssuedJson { text, signature }
            }
            AfterSigning::Text(text) => IssuedJson { text: text.clone(), signature },
            AfterSigning::Signature(signature) => IssuedJson { text, signature: signature.clone() },
        }
    }
}
