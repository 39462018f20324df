#!/usr/bin/env bash
# A client made of curl and openssl alone: the assertion is put together by hand.
set -euo pipefail
# shellcheck disable=SC1091
source "$COUNTERSIGN_INTEROP_WORLD/world.sh"
# shellcheck source=interop/shell/jwt.sh
source "$(dirname "${BASH_SOURCE[0]}")/../shell/jwt.sh"
failures=0

ok() { printf 'ok %s\n' "$1"; }
not_ok() { printf 'not ok %s: %s\n' "$1" "$2"; failures=$((failures + 1)); }

rs256_assertion() { assertion clients_curl_rs256 "$@"; }
es256_assertion() { assertion clients_curl_es256 "$@"; }

# post ENDPOINT NAME=VALUE…: sets `status` and `body`
post() {
  local endpoint=$1 answer arguments=()
  shift
  for pair in "$@"; do arguments+=(--data-urlencode "$pair"); done
  answer=$(curl --silent --show-error --write-out '\n%{http_code}' "${arguments[@]}" "$endpoint")
  status=${answer##*$'\n'}
  body=${answer%$'\n'*}
}

grant() { post "$token_endpoint" grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer "assertion=$1"; }

client_assertion() {
  post "$1" client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer "client_assertion=$2" "${@:3}"
}

field() { printf '%s' "$body" | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'; }

expect() { # NAME STATUS PATTERN
  if [ "$status" = "$2" ] && [[ $body =~ $3 ]]; then
    ok "$1"
  else
    not_ok "$1" "expected $2 and /$3/, got $status $body"
  fi
}

grant "$(rs256_assertion)"
expect "jwt-bearer grant with RS256" 200 '"access_token" *: *"ey'
first=$(field access_token)

grant "$(rs256_assertion)"
expect "a fresh assertion renews" 200 '"access_token" *: *"ey'
second=$(field access_token)
if [ -n "$second" ] && [ "$first" != "$second" ]; then
  ok "the renewed token is another one"
else
  not_ok "the renewed token is another one" "both are the same"
fi

grant "$(es256_assertion)"
expect "jwt-bearer grant with ES256" 200 '"token_type" *: *"[Bb]earer"'

client_assertion "$token_endpoint" "$(rs256_assertion)" grant_type=client_credentials
expect "client credentials with RS256" 200 '"expires_in" *: *[0-9]+'
client_assertion "$token_endpoint" "$(es256_assertion)" grant_type=client_credentials
expect "client credentials with ES256" 200 '"access_token" *: *"ey'

# The compatibility route: JSON in, 201 out, and a string where the others have a number.
answer=$(curl --silent --show-error --write-out '\n%{http_code}' --header 'Content-Type: application/json' \
  --data "{\"token\":\"$(rs256_assertion ",\"tenant_id\":\"$tenant_id\"")\"}" "$compatibility_endpoint")
status=${answer##*$'\n'}
body=${answer%$'\n'*}
expect "compatibility route" 201 '"expires_in" *: *"[0-9]+"'

once=$(rs256_assertion)
grant "$once"
expect "an assertion is accepted once" 200 '"access_token"'
grant "$once"
expect "the same assertion again is refused with its reason" 400 '"reason" *: *"assertion_replayed"'

forged=$(rs256_assertion)
grant "${forged%?????}AAAAA"
if [ "$status" = 400 ] && [ -z "$(field reason)" ] && [ "$(field error)" = invalid_grant ]; then
  ok "a forged signature is refused without a reason"
else
  not_ok "a forged signature is refused without a reason" "$status $body"
fi

client_assertion "$token_endpoint" "${forged%?????}AAAAA" grant_type=client_credentials
expect "a forged client assertion is invalid_client" '401' '"error" *: *"invalid_client"'

client_assertion "$issuer/introspect" "$(es256_assertion)" "token=$second"
expect "introspection knows its own organization's token" 200 '"active" *: *true'
client_assertion "$issuer/revoke" "$(rs256_assertion)" "token=$second"
expect "revocation" 200 ''
client_assertion "$issuer/introspect" "$(es256_assertion)" "token=$second"
expect "a revoked token is inactive" 200 '^\{"active" *: *false\}$'

[ "$failures" -eq 0 ]
