//! A request in; the answer of its route, or 401 without a valid token, out.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};

use super::error::ApiError;
use crate::serving::reloaded::Reloaded;
use crate::serving::state::State;
use crate::serving::tokens::Tokens;

/// The paths that readings are pushed to.
const PUSHED: [&str; 3] = ["/readings", "/api/v1/write", "/v1/metrics"];

/// Answer the request if it has a valid token, or needs none here: readings can be pushed with the token of
/// their source, if it has one. Browsers are also offered a password prompt, so that they can show the page.
///
/// # Errors
/// The errors of the routes.
pub async fn authenticate<B: MessageBody + 'static>(
    tokens: Rc<Option<Arc<Reloaded<Tokens>>>>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_admitted = (*tokens).as_ref().is_none_or(|tokens| tokens.current().admit(header));
    if is_admitted || PUSHED.contains(&request.path()) && is_pushed_by_token(&request) {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let why = "expected the header Authorization: Bearer TOKEN with a valid token";
    let mut response = ApiError::Unauthorized(why.to_owned()).error_response();
    let password = HeaderValue::from_static("Basic realm=\"detector\", charset=\"UTF-8\"");
    response.headers_mut().append(WWW_AUTHENTICATE, password);
    Ok(request.into_response(response).map_into_right_body())
}

fn is_pushed_by_token(request: &ServiceRequest) -> bool {
    let sources = request.app_data::<Data<State>>().map(|state| state.detector.sources());
    let sources = sources.into_iter().flatten();
    sources.map(|source| &source.kind).any(|kind| kind.is_pushed_to() && kind.secret().is_some())
}
