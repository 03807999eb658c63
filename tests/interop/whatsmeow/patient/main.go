// A patient played by the real whatsmeow: one linked device with its keys in memory.
//
//	patient HOST:PORT ROOT_KEY_HEX      of the WhatsApp simulator; prints one JSON object a line:
//	  {"qr":".."}  {"connected":true}  {"sent":{"tag","id"}}  {"error":".."}
//	  {"inbound":{"id","chat","text"}}  {"receipt":{"ids","type"}}    type "" is delivered
//	and reads commands, one a line:
//	  {"send":{"chat","text"}}  {"edit":{"chat","id","text"}}  {"react":{"chat","id","text"}}  {"reconnect":true}
//
// Ends with 0 when its input ends.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

// What a device keeps, in memory.
type memory struct {
	store.NoopStore
	mutex      sync.Mutex
	sessions   map[string][]byte
	identities map[string][32]byte
	preKeys    map[uint32]*keys.PreKey
	lastPreKey uint32
	uploaded   uint32
	lids, pns  map[types.JID]types.JID
}

func (m *memory) locked() func() { m.mutex.Lock(); return m.mutex.Unlock }

func (m *memory) PutIdentity(_ context.Context, address string, key [32]byte) error {
	defer m.locked()()
	m.identities[address] = key
	return nil
}
func (m *memory) DeleteIdentity(_ context.Context, address string) error {
	defer m.locked()()
	delete(m.identities, address)
	return nil
}
func (m *memory) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	defer m.locked()()
	known, found := m.identities[address]
	return !found || known == key, nil
}

func (m *memory) GetSession(_ context.Context, address string) ([]byte, error) {
	defer m.locked()()
	return m.sessions[address], nil
}
func (m *memory) HasSession(_ context.Context, address string) (bool, error) {
	defer m.locked()()
	return m.sessions[address] != nil, nil
}
func (m *memory) GetManySessions(_ context.Context, addresses []string) (map[string][]byte, error) {
	defer m.locked()()
	found := map[string][]byte{}
	for _, address := range addresses {
		found[address] = m.sessions[address]
	}
	return found, nil
}
func (m *memory) PutSession(_ context.Context, address string, session []byte) error {
	defer m.locked()()
	m.sessions[address] = session
	return nil
}
func (m *memory) PutManySessions(_ context.Context, sessions map[string][]byte) error {
	defer m.locked()()
	for address, session := range sessions {
		m.sessions[address] = session
	}
	return nil
}
func (m *memory) DeleteSession(_ context.Context, address string) error {
	defer m.locked()()
	delete(m.sessions, address)
	return nil
}

func (m *memory) makePreKey() *keys.PreKey {
	m.lastPreKey++
	m.preKeys[m.lastPreKey] = keys.NewPreKey(m.lastPreKey)
	return m.preKeys[m.lastPreKey]
}
func (m *memory) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	defer m.locked()()
	var wanted []*keys.PreKey
	for id := m.uploaded + 1; uint32(len(wanted)) < count; id++ {
		if id > m.lastPreKey {
			m.makePreKey()
		}
		if key := m.preKeys[id]; key != nil {
			wanted = append(wanted, key)
		}
	}
	return wanted, nil
}
func (m *memory) GenOnePreKey(context.Context) (*keys.PreKey, error) {
	defer m.locked()()
	return m.makePreKey(), nil
}
func (m *memory) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	defer m.locked()()
	return m.preKeys[id], nil
}
func (m *memory) RemovePreKey(_ context.Context, id uint32) error {
	defer m.locked()()
	delete(m.preKeys, id)
	return nil
}
func (m *memory) MarkPreKeysAsUploaded(_ context.Context, upTo uint32) error {
	defer m.locked()()
	m.uploaded = max(m.uploaded, upTo)
	return nil
}
func (m *memory) UploadedPreKeyCount(context.Context) (int, error) {
	defer m.locked()()
	count := 0
	for id := range m.preKeys {
		if id <= m.uploaded {
			count++
		}
	}
	return count, nil
}

func (m *memory) PutLIDMapping(_ context.Context, lid, pn types.JID) error {
	defer m.locked()()
	m.lids[pn.ToNonAD()], m.pns[lid.ToNonAD()] = lid.ToNonAD(), pn.ToNonAD()
	return nil
}
func (m *memory) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	for _, mapping := range mappings {
		m.PutLIDMapping(ctx, mapping.LID, mapping.PN)
	}
	return nil
}
func (m *memory) GetPNForLID(_ context.Context, lid types.JID) (types.JID, error) {
	defer m.locked()()
	pn := m.pns[lid.ToNonAD()]
	if !pn.IsEmpty() {
		pn.Device = lid.Device
	}
	return pn, nil
}
func (m *memory) GetLIDForPN(_ context.Context, pn types.JID) (types.JID, error) {
	defer m.locked()()
	lid := m.lids[pn.ToNonAD()]
	if !lid.IsEmpty() {
		lid.Device = pn.Device
	}
	return lid, nil
}
func (m *memory) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	found := map[types.JID]types.JID{}
	for _, pn := range pns {
		if lid, _ := m.GetLIDForPN(ctx, pn); !lid.IsEmpty() {
			found[pn] = lid
		}
	}
	return found, nil
}

var printing sync.Mutex

func print(line map[string]any) {
	printing.Lock()
	defer printing.Unlock()
	text, _ := json.Marshal(line)
	os.Stdout.Write(append(text, '\n'))
}

func newClient(address string) *whatsmeow.Client {
	nothing := &store.NoopStore{}
	kept := &memory{
		sessions: map[string][]byte{}, identities: map[string][32]byte{}, preKeys: map[uint32]*keys.PreKey{},
		lids: map[types.JID]types.JID{}, pns: map[types.JID]types.JID{},
	}
	identity := keys.NewKeyPair()
	device := &store.Device{
		NoiseKey: keys.NewKeyPair(), IdentityKey: identity, SignedPreKey: identity.CreateSignedPreKey(1),
		RegistrationID: 4242, AdvSecretKey: make([]byte, 32), Initialized: true,
		Identities: kept, Sessions: kept, PreKeys: kept, LIDs: kept, SenderKeys: nothing, AppStateKeys: nothing, AppState: nothing,
		Contacts: nothing, ChatSettings: nothing, MsgSecrets: nothing, PrivacyTokens: nothing, EventBuffer: nothing, Container: nothing,
	}
	var log waLog.Logger = waLog.Noop
	if os.Getenv("WHATSMEOW_LOG") != "" {
		log = waLog.Stdout("whatsmeow", "DEBUG", false)
	}
	client := whatsmeow.NewClient(device, log)
	// Its address is a constant: what dials that is led to the simulator, without TLS.
	lead := &http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	client.SetWebsocketHTTPClient(lead)
	client.SetPreLoginHTTPClient(lead)
	client.AddEventHandler(tell)
	return client
}

func tell(event any) {
	switch one := event.(type) {
	case *events.QR:
		print(map[string]any{"qr": one.Codes[0]})
	case *events.Connected:
		print(map[string]any{"connected": true})
	case *events.UndecryptableMessage:
		print(map[string]any{"undecryptable": one.Info.ID})
	case *events.Receipt:
		print(map[string]any{"receipt": map[string]any{"ids": one.MessageIDs, "type": string(one.Type)}})
	case *events.Message:
		text := one.Message.GetConversation()
		if text == "" {
			text = one.Message.GetExtendedTextMessage().GetText()
		}
		if !one.Info.IsFromMe {
			print(map[string]any{"inbound": map[string]any{"id": one.Info.ID, "chat": one.Info.Chat.String(), "text": text}})
		}
	}
}

type target struct {
	Chat string `json:"chat"`
	ID   string `json:"id"`
	Text string `json:"text"`
}

func send(client *whatsmeow.Client, to target, make func(chat types.JID) *waE2E.Message) {
	chat, err := types.ParseJID(to.Chat)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		var sent whatsmeow.SendResponse
		if sent, err = client.SendMessage(ctx, chat, make(chat)); err == nil {
			print(map[string]any{"sent": map[string]any{"tag": to.Text, "id": sent.ID}})
			return
		}
	}
	print(map[string]any{"error": err.Error()})
}

func main() {
	root, err := hex.DecodeString(os.Args[len(os.Args)-1])
	if len(os.Args) != 3 || err != nil || len(root) != 32 {
		os.Stderr.WriteString("usage: patient HOST:PORT ROOT_KEY_HEX\n")
		os.Exit(2)
	}
	copy(whatsmeow.WACertPubKey[:], root)
	client := newClient(os.Args[1])
	if err := client.Connect(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	text := func(words string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(words)} }
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var command struct {
			Send, Edit, React *target
			Reconnect         bool
		}
		if json.Unmarshal(lines.Bytes(), &command) != nil {
			continue
		}
		switch {
		case command.Send != nil:
			send(client, *command.Send, func(types.JID) *waE2E.Message { return text(command.Send.Text) })
		case command.Edit != nil:
			send(client, *command.Edit, func(chat types.JID) *waE2E.Message {
				return client.BuildEdit(chat, command.Edit.ID, text(command.Edit.Text))
			})
		case command.React != nil:
			send(client, *command.React, func(chat types.JID) *waE2E.Message {
				return client.BuildReaction(chat, client.Store.GetLID(), command.React.ID, command.React.Text)
			})
		case command.Reconnect:
			client.Disconnect()
			client.Connect()
		}
	}
	client.Disconnect()
}
