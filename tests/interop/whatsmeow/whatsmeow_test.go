// The real whatsmeow against the WhatsApp simulator. It verifies the certificate chain and the ADV signatures, which
// Baileys does not: what it accepts is signed right, and what the simulator forges it refuses.
package whatsmeow_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
)

const limit = 60 * time.Second

// ---- The simulator. ----

type simulator struct {
	address, control string
}

var sim simulator

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	program := os.Getenv("WHATSAPP_SIM")
	if program == "" {
		fmt.Println("set WHATSAPP_SIM to the whatsapp-sim program")
		return 1
	}
	command := exec.Command(program)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil || command.Start() != nil {
		fmt.Println("whatsapp-sim does not start")
		return 1
	}
	defer func() {
		command.Process.Signal(syscall.SIGTERM)
		command.Wait()
	}()
	line, err := bufio.NewReader(output).ReadBytes('\n')
	var about struct {
		URL     string `json:"ws_url"`
		Control string `json:"control_url"`
		RootKey string `json:"root_key"`
	}
	if err != nil || json.Unmarshal(line, &about) != nil {
		fmt.Println("whatsapp-sim did not say where it is")
		return 1
	}
	parsed, _ := url.Parse(about.URL)
	root, _ := hex.DecodeString(about.RootKey)
	copy(whatsmeow.WACertPubKey[:], root)
	sim = simulator{address: parsed.Host, control: about.Control}
	return m.Run()
}

func (s simulator) post(t *testing.T, path string, body map[string]any) map[string]any {
	t.Helper()
	text, _ := json.Marshal(body)
	answer, err := http.Post(s.control+path, "application/json", bytes.NewReader(text))
	return read(t, path, answer, err)
}

func (s simulator) get(t *testing.T, path string) map[string]any {
	t.Helper()
	answer, err := http.Get(s.control + path)
	return read(t, path, answer, err)
}

func read(t *testing.T, path string, answer *http.Response, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	var told map[string]any
	if json.Unmarshal(text, &told) != nil || answer.StatusCode != 200 {
		t.Fatalf("%s: %d %s", path, answer.StatusCode, text)
	}
	return told
}

func (s simulator) phone(t *testing.T) string {
	return s.post(t, "/phones", map[string]any{"name": "Asha"})["phone"].(string)
}

func (s simulator) devices(t *testing.T, phone string) []any {
	for _, entry := range s.get(t, "/phones")["phones"].([]any) {
		if entry.(map[string]any)["phone"] == phone {
			return entry.(map[string]any)["devices"].([]any)
		}
	}
	return nil
}

func (s simulator) happened(t *testing.T, phone, event string) bool {
	for _, entry := range s.get(t, "/logins")["events"].([]any) {
		fields := entry.(map[string]any)
		if fields["phone"] == phone && fields["event"] == event {
			return true
		}
	}
	return false
}

func until(t *testing.T, what string, look func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !look(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}

// ---- The client. ----

// One-time pre-keys in memory.
type preKeys struct {
	store.NoopStore
	mutex    sync.Mutex
	made     []*keys.PreKey
	uploaded int
}

func (p *preKeys) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for len(p.made)-p.uploaded < int(count) {
		p.made = append(p.made, keys.NewPreKey(uint32(len(p.made)+1)))
	}
	return p.made[p.uploaded : p.uploaded+int(count)], nil
}

func (p *preKeys) MarkPreKeysAsUploaded(_ context.Context, upTo uint32) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.uploaded = int(upTo)
	return nil
}

func (p *preKeys) UploadedPreKeyCount(context.Context) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.uploaded, nil
}

type client struct {
	*whatsmeow.Client
	events chan any
}

func newClient(t *testing.T) *client {
	nothing := &store.NoopStore{}
	identity := keys.NewKeyPair()
	device := &store.Device{
		NoiseKey: keys.NewKeyPair(), IdentityKey: identity, SignedPreKey: identity.CreateSignedPreKey(1),
		RegistrationID: 4242, AdvSecretKey: bytes.Repeat([]byte{7}, 32), Initialized: true,
		Identities: nothing, Sessions: nothing, PreKeys: &preKeys{}, SenderKeys: nothing,
		AppStateKeys: nothing, AppState: nothing, Contacts: nothing, ChatSettings: nothing, MsgSecrets: nothing,
		PrivacyTokens: nothing, EventBuffer: nothing, LIDs: nothing, Container: nothing,
	}
	var log waLog.Logger = waLog.Noop
	if os.Getenv("WHATSMEOW_LOG") != "" {
		log = waLog.Stdout("whatsmeow", "DEBUG", false)
	}
	made := &client{Client: whatsmeow.NewClient(device, log), events: make(chan any, 1000)}
	// Its address is a constant: what dials that is led to the simulator, without TLS.
	lead := &http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, sim.address)
		},
	}}
	made.SetWebsocketHTTPClient(lead)
	made.SetPreLoginHTTPClient(lead)
	made.AddEventHandler(func(event any) { made.events <- event })
	t.Cleanup(made.Disconnect)
	return made
}

// The next event of this kind; others before it are dropped.
func next[Kind any](t *testing.T, c *client) Kind {
	t.Helper()
	timer := time.After(limit)
	for {
		select {
		case event := <-c.events:
			if wanted, ok := event.(Kind); ok {
				return wanted
			}
		case <-timer:
			var kind Kind
			t.Fatalf("waited %v for %T", limit, kind)
		}
	}
}

func (c *client) connect(t *testing.T) {
	t.Helper()
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
}

func (c *client) link(t *testing.T, phone string) {
	t.Helper()
	c.connect(t)
	qr := next[*events.QR](t, c)
	sim.post(t, "/scan", map[string]any{"phone": phone, "qr": qr.Codes[0]})
	next[*events.PairSuccess](t, c)
	next[*events.Connected](t, c)
}

// ---- The tests. ----

func TestLinksByQrRestartsAndLogsIn(t *testing.T) {
	phone, c := sim.phone(t), newClient(t)
	c.link(t, phone)
	if c.Store.ID.String() != phone+":1@s.whatsapp.net" {
		t.Fatalf("it is %s", c.Store.ID)
	}
	until(t, "its pre-keys", func() bool { return sim.devices(t, phone)[0].(map[string]any)["pre_keys"].(float64) > 0 })
	if sim.happened(t, phone, "problem") {
		t.Fatal("the simulator has a complaint")
	}
}

func TestLinksByCode(t *testing.T) {
	phone, c := sim.phone(t), newClient(t)
	c.connect(t)
	next[*events.QR](t, c)
	code, err := c.PairPhone(context.Background(), phone, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		t.Fatal(err)
	}
	sim.post(t, "/code", map[string]any{"phone": phone, "code": code})
	next[*events.PairSuccess](t, c)
	next[*events.Connected](t, c)
}

// Not chains whose time is over or to come: the pinned version does not look at the time.
func TestRefusesForgedChains(t *testing.T) {
	forgeries := []string{"wrong_root", "bad_intermediate_signature", "bad_leaf_signature", "short_signature", "issuer_not_root",
		"wrong_issuer_serial", "wrong_leaf_key", "no_intermediate", "no_leaf_details", "garbage"}
	for _, how := range forgeries {
		t.Run(how, func(t *testing.T) {
			sim.post(t, "/fault", map[string]any{"kind": "chain", "how": how})
			err := newClient(t).Connect()
			if err == nil || !strings.Contains(err.Error(), "handshake") {
				t.Fatalf("it said: %v", err)
			}
		})
	}
	c := newClient(t)
	c.connect(t)
	next[*events.QR](t, c)
}

func TestRefusesForgedEndorsements(t *testing.T) {
	for _, how := range []string{"bad_hmac", "bad_account_signature", "wrong_account_key", "other_companion", "bad_details", "garbage"} {
		t.Run(how, func(t *testing.T) {
			phone, c := sim.phone(t), newClient(t)
			sim.post(t, "/fault", map[string]any{"kind": "adv", "how": how})
			c.connect(t)
			qr := next[*events.QR](t, c)
			sim.post(t, "/scan", map[string]any{"phone": phone, "qr": qr.Codes[0]})
			next[*events.PairError](t, c)
			if len(sim.devices(t, phone)) != 0 {
				t.Fatal("it linked all the same")
			}
		})
	}
}

func TestReconnectsAfterFaults(t *testing.T) {
	phone, c := sim.phone(t), newClient(t)
	c.link(t, phone)
	for _, fault := range []map[string]any{{"kind": "drop"}, {"kind": "cut"}, {"kind": "stream_end"}, {"kind": "stream_error", "code": 515}} {
		fault["phone"] = phone
		if sim.post(t, "/fault", fault)["met"].(float64) != 1 {
			t.Fatalf("%v met nobody", fault)
		}
		next[*events.Connected](t, c)
	}
}

func TestIsLoggedOutByThePhone(t *testing.T) {
	phone, c := sim.phone(t), newClient(t)
	c.link(t, phone)
	sim.post(t, "/unlink", map[string]any{"phone": phone, "device": 1})
	next[*events.LoggedOut](t, c)
}

func TestLogsOut(t *testing.T) {
	phone, c := sim.phone(t), newClient(t)
	c.link(t, phone)
	if err := c.Logout(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(sim.devices(t, phone)) != 0 {
		t.Fatal("the device is still there")
	}
}
