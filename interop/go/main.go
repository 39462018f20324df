// Command interop gets and renews tokens with golang.org/x/oauth2/jwt, unmodified.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/oauth2/jwt"
)

type client struct {
	ID               string `json:"id"`
	KeyFile          string `json:"key_file"`
	Kid              string `json:"kid"`
	VerifierIssuer   string `json:"verifier_issuer"`
	VerifierSubject  string `json:"verifier_subject"`
	VerifierAudience string `json:"verifier_audience"`
}

type world struct {
	TokenEndpoint string            `json:"token_endpoint"`
	Clients       map[string]client `json:"clients"`
}

func main() {
	if err := run(); err != nil {
		fmt.Printf("not ok go: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(filepath.Join(os.Getenv("COUNTERSIGN_INTEROP_WORLD"), "world.json"))
	if err != nil {
		return err
	}
	var w world
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	c := w.Clients["go_oauth2"]
	key, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return err
	}
	// Subject and Audience are the two settings that differ from the library's defaults.
	config := jwt.Config{
		Email:        c.VerifierIssuer,
		Subject:      c.VerifierSubject,
		Audience:     c.VerifierAudience,
		PrivateKey:   key,
		PrivateKeyID: c.Kid,
		TokenURL:     w.TokenEndpoint,
	}
	first, err := config.TokenSource(context.Background()).Token()
	if err != nil {
		return oneLine("jwt.Config: first token", err)
	}
	fmt.Println("ok jwt.Config: first token")
	if !first.Valid() || time.Until(first.Expiry) <= 0 {
		return fmt.Errorf("jwt.Config: lifetime: expires %v", first.Expiry)
	}
	fmt.Println("ok jwt.Config: lifetime")

	// The library writes no jti, so its assertions of one second are equal, and one assertion is good for one
	// token. Real renewals are minutes apart.
	time.Sleep(1100 * time.Millisecond)
	second, err := config.TokenSource(context.Background()).Token()
	if err != nil {
		return oneLine("jwt.Config: renewal", err)
	}
	if second.AccessToken == first.AccessToken {
		return fmt.Errorf("jwt.Config: renewal: the same token")
	}
	fmt.Println("ok jwt.Config: renewal")

	config.Email = "somebody-else"
	if _, err := config.TokenSource(context.Background()).Token(); err == nil {
		return fmt.Errorf("jwt.Config: an unknown issuer got a token")
	} else if !strings.Contains(err.Error(), "invalid_grant") {
		return oneLine("jwt.Config: an unknown issuer is refused", err)
	}
	fmt.Println("ok jwt.Config: an unknown issuer is refused")
	return nil
}

func oneLine(name string, err error) error {
	return fmt.Errorf("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", " "))
}
