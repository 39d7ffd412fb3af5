//! A procedural macro, which runs on the host whatever the target is.

use proc_macro::{Literal, TokenStream, TokenTree};

/// The tokens as a string literal in capitals.
#[proc_macro]
pub fn shout(tokens: TokenStream) -> TokenStream {
    let text = tokens.to_string().to_uppercase();
    TokenStream::from(TokenTree::from(Literal::string(&text)))
}
