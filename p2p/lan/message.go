package lan

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// service is the type of the service, and the domain that multicast DNS is about.
const service = "_p2pool._tcp.local."

// poolKey is the key of the pool in the TXT record.
const poolKey = "id="

// flush is the bit of a record's class that replaces what others remember (RFC 6762,
// 10.2). In a question the same bit asks for an answer to the sender alone (5.4),
// which this node does not give.
const flush = 1 << 15

// identity is how a node appears to others.
type identity struct {
	pool     string // poolKey and the first bytes of the ChainID
	instance dnsmessage.Name
	host     dnsmessage.Name
	port     uint16 // 0: it only looks for others
}

var serviceName = dnsmessage.MustNewName(service)

// newIdentity makes an identity with a random name.
func newIdentity(chainID []byte, name []byte, port uint16) identity {
	text := hex.EncodeToString(name)
	return identity{
		pool:     poolKey + hex.EncodeToString(chainID[:min(len(chainID), poolBytes)]),
		instance: dnsmessage.MustNewName(text + "." + service),
		host:     dnsmessage.MustNewName(text + ".local."),
		port:     port,
	}
}

// query returns the question for all nodes.
func query() ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	b.EnableCompression()
	err := errors.Join(b.StartQuestions(), b.Question(dnsmessage.Question{
		Name: serviceName, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET,
	}))
	if err != nil {
		return nil, err
	}
	return b.Finish()
}

// announcement returns all that others need to know of this node, for as long as
// given; 0: that it is leaving.
func (id *identity) announcement(life time.Duration, addrs []netip.Addr) ([]byte, error) {
	header := func(name dnsmessage.Name, class dnsmessage.Class) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name, Class: class, TTL: uint32(life / time.Second)}
	}
	// Others have pointers to the service, but this node's name is its own.
	const own = dnsmessage.ClassINET | flush
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{Response: true, Authoritative: true})
	b.EnableCompression()
	err := errors.Join(
		b.StartAnswers(),
		b.PTRResource(header(serviceName, dnsmessage.ClassINET), dnsmessage.PTRResource{PTR: id.instance}),
		b.SRVResource(header(id.instance, own), dnsmessage.SRVResource{Port: id.port, Target: id.host}),
		b.TXTResource(header(id.instance, own), dnsmessage.TXTResource{TXT: []string{id.pool}}),
	)
	for _, a := range addrs {
		if a.Is4() {
			err = errors.Join(err, b.AResource(header(id.host, own), dnsmessage.AResource{A: a.As4()}))
		}
	}
	if err != nil {
		return nil, err
	}
	return b.Finish()
}

// heard is what a message says that is of interest.
type heard struct {
	asked bool     // it asks for this node
	ports []uint16 // where other nodes of the pool listen, at the sender's address
}

// read understands a message. What is malformed or of no interest gives the zero
// heard.
func (id *identity) read(raw []byte) heard {
	var p dnsmessage.Parser
	header, err := p.Start(raw)
	if err != nil || header.OpCode != 0 || header.RCode != dnsmessage.RCodeSuccess {
		return heard{}
	}
	if !header.Response {
		return heard{asked: id.isAsked(&p)}
	}
	if p.SkipAllQuestions() != nil {
		return heard{}
	}
	var r records
	if !r.readAnswers(&p) {
		return heard{}
	}
	return heard{ports: r.ports(id)}
}

// isAsked reports whether one of the questions is for this node.
func (id *identity) isAsked(p *dnsmessage.Parser) bool {
	if id.port == 0 {
		return false
	}
	for range maxRecords {
		q, err := p.Question()
		if err != nil {
			return false
		}
		if class := q.Class &^ flush; class != dnsmessage.ClassINET && class != dnsmessage.ClassANY {
			continue
		}
		of := func(name dnsmessage.Name, types ...dnsmessage.Type) bool {
			for _, t := range append(types, dnsmessage.TypeALL) {
				if q.Type == t && same(q.Name, name) {
					return true
				}
			}
			return false
		}
		if of(serviceName, dnsmessage.TypePTR) || of(id.instance, dnsmessage.TypeSRV, dnsmessage.TypeTXT) || of(id.host, dnsmessage.TypeA) {
			return true
		}
	}
	return false
}

// records are those of a message that tell of nodes: maxRecords together.
type records struct {
	instances []dnsmessage.Name
	srv       []named[uint16] // port
	txt       []named[string] // pool
}

// named is a record's content with its name.
type named[T any] struct {
	name  dnsmessage.Name
	value T
}

// readAnswers reads the records behind the questions. Nodes may have some of theirs
// among the answers and others among the additional ones.
func (r *records) readAnswers(p *dnsmessage.Parser) bool {
	left := maxRecords
	if !r.readSection(p, p.AnswerHeader, p.SkipAnswer, &left) || p.SkipAllAuthorities() != nil {
		return false
	}
	return r.readSection(p, p.AdditionalHeader, p.SkipAdditional, &left)
}

// readSection reads records until the section is over or there have been enough.
func (r *records) readSection(p *dnsmessage.Parser, next func() (dnsmessage.ResourceHeader, error), skip func() error, left *int) bool {
	for {
		h, err := next()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return true
		}
		if err != nil || *left == 0 {
			return false
		}
		*left--
		if h.TTL == 0 || h.Class&^flush != dnsmessage.ClassINET {
			h.Type = 0 // it is being taken back
		}
		if err := r.readRecord(p, h, skip); err != nil {
			return false
		}
	}
}

func (r *records) readRecord(p *dnsmessage.Parser, h dnsmessage.ResourceHeader, skip func() error) error {
	switch h.Type {
	case dnsmessage.TypePTR:
		res, err := p.PTRResource()
		if err == nil && same(h.Name, serviceName) {
			r.instances = append(r.instances, res.PTR)
		}
		return err
	case dnsmessage.TypeSRV:
		res, err := p.SRVResource()
		if err == nil {
			r.srv = append(r.srv, named[uint16]{h.Name, res.Port})
		}
		return err
	case dnsmessage.TypeTXT:
		res, err := p.TXTResource()
		if err == nil {
			for _, text := range res.TXT[:min(len(res.TXT), maxRecords)] {
				if strings.HasPrefix(text, poolKey) {
					r.txt = append(r.txt, named[string]{h.Name, text})
					break
				}
			}
		}
		return err
	}
	return skip()
}

// ports returns those of the nodes of the pool but this one.
func (r *records) ports(id *identity) []uint16 {
	var list []uint16
	for _, instance := range r.instances[:min(len(r.instances), maxNodes)] {
		port, _ := find(r.srv, instance)
		pool, _ := find(r.txt, instance)
		if port != 0 && pool == id.pool && !same(instance, id.instance) {
			list = append(list, port)
		}
	}
	return list
}

func find[T any](list []named[T], name dnsmessage.Name) (value T, ok bool) {
	for _, n := range list {
		if same(n.name, name) {
			return n.value, true
		}
	}
	return value, false
}

// same compares names, whose case does not count.
func same(a, b dnsmessage.Name) bool { return strings.EqualFold(a.String(), b.String()) }
