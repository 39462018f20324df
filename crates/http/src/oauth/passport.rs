//! `POST /passport/v1/oauth2/token`: for callers of the hosted reference product (`tokens.md`).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_domain::assertion::Flow;
use countersign_service::ExchangeRequest;
use serde::{Deserialize, Serialize};

use super::{Failure, refused};
use crate::admin::App;
use crate::front::Correlation;
use crate::json::StrictJson;
use crate::oauth_error::{OAuthError, no_store};

/// The body that the reference product takes; further members are ignored, as it does.
#[derive(Deserialize)]
pub(crate) struct PassportRequest {
    token: String,
}

/// The answer that the reference product gives: `expires_in` is a text.
#[derive(Serialize)]
struct PassportResponse {
    access_token: String,
    expires_in: String,
}

/// The compatibility route.
pub(crate) async fn token(
    State(service): State<App>,
    Correlation(correlation_id): Correlation,
    body: Result<StrictJson<PassportRequest>, Response>,
) -> Result<Response, Failure> {
    let Ok(StrictJson(PassportRequest { token })) = body else {
        let error = OAuthError::invalid_request(
            "The body must be JSON with the member token: the signed JWT.",
        );
        return Err(error.into());
    };
    let flow = Flow::Compatibility;
    let request = ExchangeRequest {
        flow,
        assertion: &token,
        scope: None,
        resources: &[],
        client_id: None,
        correlation_id,
    };
    match service.exchange_by_claim(request).await {
        Ok(issued) => {
            let expires_in = issued.expires_in.to_string();
            Ok(no_store((
                StatusCode::CREATED,
                Json(PassportResponse {
                    access_token: issued.access_token,
                    expires_in,
                }),
            )))
        }
        Err(error) => Err(refused(error, flow)),
    }
}
