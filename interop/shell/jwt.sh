# Signed JWTs from openssl alone. Sourced by the scripts of the neighbouring folders.

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

from_base64url() {
  local text
  text=$(tr '_-' '/+')
  while [ $((${#text} % 4)) -ne 0 ]; do text="$text="; done
  printf '%s' "$text" | openssl base64 -d -A
}

# The two integers of a DER signature, each 32 octets: what JWS wants for ES256 (RFC 7518 section 3.4).
der_to_p1363() {
  local integer
  openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' | while read -r integer; do
    while [ "${#integer}" -gt 64 ]; do integer=${integer#00}; done
    printf '%64s' "$integer" | tr ' ' '0' | sed 's/../\\x&/g' | xargs -0 printf '%b'
  done
}

# jwt KEY_FILE HEADER CLAIMS: signed with ES256 or RS256, as the header says
jwt() {
  local input
  input="$(printf '%s' "$2" | base64url).$(printf '%s' "$3" | base64url)"
  printf '%s.' "$input"
  case $2 in
    *ES256*) printf '%s' "$input" | openssl dgst -sha256 -sign "$1" -binary | der_to_p1363 | base64url ;;
    *) printf '%s' "$input" | openssl dgst -sha256 -sign "$1" -binary | base64url ;;
  esac
}

# assertion PREFIX [MORE_CLAIMS]: for the configuration whose values are in variables that start with PREFIX
assertion() {
  local now key_file=$1_key_file kid=$1_kid algorithm=$1_algorithm
  local iss=$1_verifier_issuer sub=$1_verifier_subject aud=$1_verifier_audience
  now=$(date +%s)
  jwt "${!key_file}" "$(printf '{"alg":"%s","typ":"JWT","kid":"%s"}' "${!algorithm}" "${!kid}")" \
    "$(printf '{"iss":"%s","sub":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"%s}' \
      "${!iss}" "${!sub}" "${!aud}" "$now" $((now + 60)) "$(openssl rand -hex 16)" "${2:-}")"
}
