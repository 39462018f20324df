#!/usr/bin/env bash
# Apache with mod_oauth2 in front of a static file: it lets our tokens in and nothing else. It learns the keys by URL,
# once from the JWKS and once from the authorization server metadata.
set -euo pipefail
# shellcheck disable=SC1091
source "$COUNTERSIGN_INTEROP_WORLD/world.sh"
# shellcheck source=interop/shell/jwt.sh
source "$(dirname "${BASH_SOURCE[0]}")/../shell/jwt.sh"

modules=/usr/lib/apache2/modules
apache=$(command -v apache2 || echo /usr/sbin/apache2)
if [ ! -x "$apache" ] || [ ! -f "$modules/mod_oauth2.so" ]; then
  echo "skipped: install the Debian packages apache2 and libapache2-mod-oauth2"
  exit 0
fi

folder=$(mktemp -d)
chmod 755 "$folder"
pid=
cleanup() {
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap cleanup EXIT
mkdir -p "$folder/site/keys" "$folder/site/metadata"
echo "protected content" | tee "$folder/site/keys/file.txt" >"$folder/site/metadata/file.txt"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
audience=$clients_resource_server_signer_audience
metadata="$public_url/.well-known/oauth-authorization-server/t/$tenant_id"

cat >"$folder/apache.conf" <<CONF
ServerName 127.0.0.1
Listen 127.0.0.1:$port
PidFile $folder/pid
ErrorLog $folder/error.log
Mutex file:$folder
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule oauth2_module $modules/mod_oauth2.so
DocumentRoot $folder/site
$([ "$(id -u)" = 0 ] && printf 'User www-data\nGroup www-data\n')
<Location /keys>
  AuthType oauth2
  OAuth2TokenVerify jwks_uri $jwks_uri verify.exp=required&verify.iat=required
  <RequireAll>
    Require oauth2_claim iss:$clients_resource_server_signer_issuer
    Require oauth2_claim aud:$audience
  </RequireAll>
</Location>
<Location /metadata>
  AuthType oauth2
  OAuth2TokenVerify metadata $metadata metadata.ssl_verify=false&verify.exp=required
  <RequireAll>
    Require oauth2_claim iss:$clients_resource_server_signer_issuer
    Require oauth2_claim aud:$audience
  </RequireAll>
</Location>
CONF

"$apache" -f "$folder/apache.conf" -D FOREGROUND &
pid=$!
for _ in $(seq 100); do
  curl --silent --output /dev/null "http://127.0.0.1:$port/" && break
  sleep 0.1
done

# token TOKEN_ENDPOINT PREFIX
token() {
  curl --silent --show-error --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer \
    --data-urlencode "assertion=$(assertion "$2")" "$1" | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p'
}

failures=0
expect() { # NAME PATH STATUS [TOKEN]
  local answer arguments=()
  [ $# -gt 3 ] && arguments=(--header "Authorization: Bearer $4")
  answer=$(curl --silent --show-error --write-out ' %{http_code}' "${arguments[@]}" "http://127.0.0.1:$port/$2/file.txt")
  if [[ ${answer##* } =~ ^($3)$ ]] && { [ "$3" != 200 ] || [[ $answer == "protected content"* ]]; }; then
    echo "ok $1 ($2)"
  else
    echo "not ok $1 ($2): expected $3, got $(printf '%s' "$answer" | tr '\n' ' ')"
    tail -n 5 "$folder/error.log"
    failures=$((failures + 1))
  fi
}

ours=$(token "$token_endpoint" clients_resource_server)
others=$(token "$signers_ES256_token_endpoint" signers_ES256_client)
if [ -z "$ours" ] || [ -z "$others" ]; then
  echo "not ok tokens for the resource server: the token endpoint gave none"
  exit 1
fi

IFS=. read -r header claims signature <<<"$ours"
claims_text=$(printf '%s' "$claims" | from_base64url)
changed=$(printf '%s' "$claims_text" | sed 's/}$/,"more":1}/' | base64url)
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/stranger.pem" 2>/dev/null
forged=$(jwt "$folder/stranger.pem" "$(printf '%s' "$header" | from_base64url)" "$claims_text")
unsigned="$(printf '{"alg":"none","typ":"at+jwt"}' | base64url).$claims."

for path in keys metadata; do
  expect "our token is let in" "$path" 200 "$ours"
  expect "no token is refused" "$path" 401
  expect "changed claims are refused" "$path" 401 "$header.$changed.$signature"
  expect "a stranger's signature is refused" "$path" 401 "$forged"
  expect "an unsigned token is refused" "$path" 401 "$unsigned"
  expect "another organization's token is refused" "$path" '401|403' "$others"
done
[ "$failures" -eq 0 ]
