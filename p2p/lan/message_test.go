package lan

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

var (
	me   = newIdentity(chainID, []byte{1, 2}, 9333)
	peer = newIdentity(chainID, []byte{3, 4}, 9334)
)

// announce returns an announcement.
func announce(t testing.TB, id identity, addrs ...netip.Addr) []byte {
	t.Helper()
	b, err := id.announcement(ttl, addrs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAnnouncement checks the bytes that other programs understand.
func TestAnnouncement(t *testing.T) {
	raw := announce(t, me, netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("fe80::1"))
	const in, flushed, life = "\x00\x01", "\x80\x01", "\x00\x00\x00\x78" // class, 120 s
	want := "\x00\x00\x84\x00\x00\x00\x00\x04\x00\x00\x00\x00" +         // an authoritative answer of four records
		"\x07_p2pool\x04_tcp\x05local\x00" + "\x00\x0c" + in + life + "\x00\x07" + "\x040102\xc0\x0c" + // PTR
		"\xc0\x2a" + "\x00\x21" + flushed + life + "\x00\x12" + "\x00\x00\x00\x00\x24\x75" + "\x040102\x05local\x00" + // SRV
		"\xc0\x2a" + "\x00\x10" + flushed + life + "\x00\x14" + "\x13id=3031323334353637" + // TXT
		"\x040102\xc0\x19" + "\x00\x01" + flushed + life + "\x00\x04" + "\xc0\xa8\x01\x0a" // A
	if string(raw) != want {
		t.Errorf("got  %q\nwant %q", raw, want)
	}
}

// change returns an announcement of the peer with something different.
func change(t testing.TB, f func(m *dnsmessage.Message)) []byte {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(announce(t, peer)); err != nil {
		t.Fatal(err)
	}
	f(&m)
	raw, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestReadAnswers: only what names a node of the pool completely is one.
func TestReadAnswers(t *testing.T) {
	type msg = dnsmessage.Message
	many := func(n int) func(*msg) {
		return func(m *msg) {
			all := m.Answers
			for i := range n {
				other := newIdentity(chainID, []byte{5, byte(i), byte(i >> 8)}, uint16(10+i))
				var o msg
				if err := o.Unpack(announce(t, other)); err != nil {
					t.Fatal(err)
				}
				all = append(all, o.Answers...)
			}
			m.Answers = all
		}
	}
	for name, tc := range map[string]struct {
		change func(*msg)
		want   []uint16
	}{
		"as it is": {func(*msg) {}, []uint16{9334}},
		"additional": {func(m *msg) {
			m.Answers, m.Additionals = m.Answers[:1], m.Answers[1:]
		}, []uint16{9334}},
		"with a question": {func(m *msg) {
			m.Questions = []dnsmessage.Question{{Name: serviceName, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}
		}, []uint16{9334}},
		"other records": {func(m *msg) {
			m.Answers = append([]dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: serviceName, Class: dnsmessage.ClassINET, TTL: 1},
				Body:   &dnsmessage.UnknownResource{Type: 47, Data: []byte{1, 2, 3}},
			}}, m.Answers...)
		}, []uint16{9334}},
		"upper case": {func(m *msg) {
			m.Answers[0].Header.Name = dnsmessage.MustNewName("_P2Pool._TCP.Local.")
		}, []uint16{9334}},
		"authorities":     {func(m *msg) { m.Answers, m.Authorities = nil, m.Answers }, nil},
		"a query":         {func(m *msg) { m.Response = false }, nil},
		"an error":        {func(m *msg) { m.RCode = dnsmessage.RCodeNameError }, nil},
		"operation":       {func(m *msg) { m.OpCode = 5 }, nil},
		"other service":   {func(m *msg) { m.Answers[0].Header.Name = dnsmessage.MustNewName("_http._tcp.local.") }, nil},
		"taken back":      {func(m *msg) { m.Answers[0].Header.TTL = 0 }, nil},
		"other class":     {func(m *msg) { m.Answers[0].Header.Class = dnsmessage.ClassCHAOS }, nil},
		"no SRV":          {func(m *msg) { m.Answers = append(m.Answers[:1], m.Answers[2:]...) }, nil},
		"no TXT":          {func(m *msg) { m.Answers = m.Answers[:2] }, nil},
		"no PTR":          {func(m *msg) { m.Answers = m.Answers[1:] }, nil},
		"port 0":          {func(m *msg) { m.Answers[1].Body.(*dnsmessage.SRVResource).Port = 0 }, nil},
		"other pool":      {func(m *msg) { m.Answers[2].Body.(*dnsmessage.TXTResource).TXT = []string{"id=00"} }, nil},
		"TXT of others":   {func(m *msg) { m.Answers[2].Header.Name = me.instance }, nil},
		"TXT with others": {func(m *msg) { m.Answers[2].Body.(*dnsmessage.TXTResource).TXT = []string{"x", "y=1", me.pool} }, []uint16{9334}},
		"some nodes":      {many(3), []uint16{9334, 10, 11, 12}},
		"many nodes":      {many(10), []uint16{9334, 10, 11, 12}},
		"too many":        {many(30), nil},
	} {
		if got := me.read(change(t, tc.change)); got.asked || !slices.Equal(got.ports, tc.want) {
			t.Errorf("%s: %+v, want %v", name, got, tc.want)
		}
	}
	if got := me.read(announce(t, me)); len(got.ports) > 0 {
		t.Errorf("it finds itself: %+v", got)
	}
}

// TestReadShort: a message that ends early names nobody, nor does one with bytes
// behind it do harm.
func TestReadShort(t *testing.T) {
	raw := announce(t, peer, netip.MustParseAddr("10.0.0.1"))
	for n := range raw {
		if got := me.read(raw[:n]); len(got.ports) > 0 || got.asked {
			t.Errorf("%d of %d bytes: %+v", n, len(raw), got)
		}
	}
	if got := me.read(append(bytes.Clone(raw), 1, 2, 3)); len(got.ports) != 1 {
		t.Errorf("with bytes behind: %+v", got)
	}
}

// TestReadQuestions: the questions that are for this node.
func TestReadQuestions(t *testing.T) {
	const in, unicast = dnsmessage.ClassINET, dnsmessage.ClassINET | flush
	for _, tc := range []struct {
		name  string
		typ   dnsmessage.Type
		class dnsmessage.Class
		want  bool
	}{
		{service, dnsmessage.TypePTR, in, true},
		{"_P2POOL._TCP.LOCAL.", dnsmessage.TypePTR, unicast, true},
		{service, dnsmessage.TypeALL, dnsmessage.ClassANY, true},
		{service, dnsmessage.TypeSRV, in, false},
		{service, dnsmessage.TypePTR, dnsmessage.ClassCHAOS, false},
		{"_http._tcp.local.", dnsmessage.TypePTR, in, false},
		{"0102." + service, dnsmessage.TypeSRV, in, true},
		{"0102." + service, dnsmessage.TypeTXT, in, true},
		{"0102." + service, dnsmessage.TypePTR, in, false},
		{"0304." + service, dnsmessage.TypeSRV, in, false},
		{"0102.local.", dnsmessage.TypeA, in, true},
		{"0102.local.", dnsmessage.TypeAAAA, in, false},
	} {
		other := dnsmessage.Question{Name: dnsmessage.MustNewName("x."), Type: dnsmessage.TypeA, Class: in}
		m := dnsmessage.Message{Questions: []dnsmessage.Question{other, {Name: dnsmessage.MustNewName(tc.name), Type: tc.typ, Class: tc.class}}}
		raw, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := me.read(raw); got.asked != tc.want {
			t.Errorf("%+v: %+v", tc, got)
		}
		silent := me
		silent.port = 0
		if silent.read(raw).asked {
			t.Errorf("%+v is for one that does not listen", tc)
		}
	}
	raw, err := query()
	if err != nil || !me.read(raw).asked {
		t.Errorf("the own question: %x, %v", raw, err)
	}
}

// FuzzRead: no message makes it fail, and what it names is within bounds.
func FuzzRead(f *testing.F) {
	question, _ := query()
	f.Add(question)
	f.Add(announce(f, peer, netip.MustParseAddr("10.0.0.1")))
	f.Add(announce(f, me))
	f.Add(change(f, func(m *dnsmessage.Message) { m.Answers, m.Additionals = m.Answers[:1], m.Answers[1:] }))
	f.Add([]byte{0, 0, 0x84, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0xc0, 12})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := me.read(raw)
		if got.asked && got.ports != nil || len(got.ports) > maxNodes || slices.Contains(got.ports, 0) {
			t.Errorf("%+v", got)
		}
	})
}

// BenchmarkRead is the cost of a datagram, of the usual kind and of the worst.
func BenchmarkRead(b *testing.B) {
	worst := change(b, func(m *dnsmessage.Message) {
		for len(m.Answers) < maxRecords {
			m.Answers = append(m.Answers, m.Answers[:3]...)
		}
		m.Answers = m.Answers[:maxRecords]
	})
	for name, raw := range map[string][]byte{"usual": announce(b, peer), "worst": worst} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				me.read(raw)
			}
		})
	}
}
