package addrmgr

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/p2poold/p2poold/internal/atomicfile"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// The file, all numbers little endian, times 8 bytes of Unix seconds:
//
//	bytes  field
//	8      fileMagic
//	32     secret key
//	1      number of anchors, and so many addresses
//	4      number of entries, and so many entries:
//	         address, source
//	         services 8, seen 8, last attempt 8, last counted 8, last good 8
//	         attempts 1; buckets of the new table 1, 255: it is in the tried one
//	         2 for each of those buckets
//	32     SHA-256 of all before
//
//	address: network 1, bytes (as many as the network has, 32 for a stand-in), port 2
const (
	fileMagic = "p2paddr\x01"
	// inTried stands for the number of buckets of a tried address.
	inTried = 255
	// maxEntry is the length of the longest entry: two addresses of 35 bytes each,
	// five numbers of 8, two of 1, eight buckets.
	maxEntry = 2*35 + 5*8 + 2 + maxRefs*2
	// maxFile bounds what is read: a full book, 10.5 MB.
	maxFile = 8 + 32 + 1 + MaxAnchors*35 + 4 + MaxAddrs*maxEntry + sha256.Size
)

// ErrDamaged is what Load returns, wrapped, for a file that is not as it was
// written.
var ErrDamaged = errors.New("the file is damaged")

// Load returns the book that Save has written, an empty one if there is no file
// yet. If the file cannot be read or is damaged, it returns an empty book and the
// error: an address book is no reason not to start. A damaged file is renamed to
// path + ".damaged", so that Save does not overwrite it.
func Load(path string, cfg Config) (*Manager, error) {
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return New(cfg), nil
	}
	if err != nil {
		return New(cfg), err
	}
	m := New(cfg)
	if err := m.decode(b); err != nil {
		return New(cfg), errors.Join(fmt.Errorf("%s: %w", path, err), os.Rename(path, path+".damaged"))
	}
	return m, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1)) // one more than decode accepts
}

// Save writes the book. Whenever the machine stops, the file has the old content
// or the new one.
func (m *Manager) Save(path string) error {
	m.mu.Lock()
	b := m.encode()
	m.mu.Unlock()
	return atomicfile.Write(path, b)
}

// encode returns the content of the file. The caller holds the mutex.
func (m *Manager) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, 256+len(m.order)*96)
	b = append(append(b, fileMagic...), m.key[:]...)
	b = append(b, byte(len(m.anchors)))
	for _, a := range m.anchors {
		b = appendAddr(b, a)
	}
	b = le.AppendUint32(b, uint32(len(m.order)))
	for _, i := range m.order {
		e := &m.entries[i]
		b = appendAddr(appendAddr(b, e.addr), e.source)
		b = le.AppendUint64(b, e.services)
		for _, at := range []int64{e.seen, e.lastTry, e.lastCounted, e.lastGood} {
			b = le.AppendUint64(b, uint64(at))
		}
		b = append(b, byte(min(e.attempts, 255)))
		if e.tried {
			b = append(b, inTried)
			continue
		}
		b = append(b, byte(e.refs))
		for _, bucket := range e.buckets[:e.refs] {
			b = le.AppendUint16(b, bucket)
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func appendAddr(b []byte, a netaddr.Addr) []byte {
	key := a.AppendKey(nil) // network 1, port 2, 32 bytes
	size := netaddr.MaxSize
	if a.IsValid() {
		size = a.Network().Size()
	}
	b = append(append(b, key[0]), key[3:3+size]...)
	return append(b, key[1:3]...)
}

// reader takes a file apart; after its end all is zero and err is set.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.b, r.err = nil, fmt.Errorf("%w: it ends too early", ErrDamaged)
		return make([]byte, n) // n is a length of the format, never one that was read
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// addr reads an address, or a stand-in where one is allowed.
func (r *reader) addr(standIn bool) netaddr.Addr {
	network := netaddr.Network(r.byte())
	if network.Size() == 0 && standIn {
		name := r.take(netaddr.MaxSize)
		r.take(2)
		return netaddr.Named(string(name))
	}
	host := r.take(network.Size())
	a, err := netaddr.New(network, host, r.uint16())
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return a
}

// decode fills an empty book.
func (m *Manager) decode(b []byte) error {
	n := len(b) - sha256.Size
	if n < len(fileMagic) || len(b) > maxFile {
		return fmt.Errorf("%w: it has %d bytes", ErrDamaged, len(b))
	}
	if sum := sha256.Sum256(b[:n]); !slices.Equal(sum[:], b[n:]) {
		return fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	r := &reader{b: b[:n]}
	if magic := string(r.take(len(fileMagic))); magic != fileMagic {
		return fmt.Errorf("%w: it begins with %q; another version of p2poold may have written it", ErrDamaged, magic)
	}
	copy(m.key[:], r.take(len(m.key)))
	anchors := int(r.byte())
	if anchors > MaxAnchors {
		return fmt.Errorf("%w: %d anchors", ErrDamaged, anchors)
	}
	for range anchors {
		if a := r.addr(false); r.err == nil && m.Usable(a) {
			m.anchors = append(m.anchors, a)
		}
	}
	count := binary.LittleEndian.Uint32(r.take(4))
	if count > MaxAddrs {
		return fmt.Errorf("%w: %d addresses", ErrDamaged, count)
	}
	for range count {
		if err := m.decodeEntry(r); err != nil {
			return err
		}
	}
	if len(r.b) != 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrDamaged, len(r.b))
	}
	return r.err
}

// decodeEntry reads an entry and puts it where it was. One that is no longer
// allowed, or whose place is taken, is left out.
func (m *Manager) decodeEntry(r *reader) error {
	e := entry{addr: r.addr(false), source: r.addr(true), services: r.uint64()}
	for _, at := range []*int64{&e.seen, &e.lastTry, &e.lastCounted, &e.lastGood} {
		// A clock that has been put right since must not make an address the freshest
		// for years.
		*at = max(0, min(int64(r.uint64()), m.now().Unix()+secs(maxAhead)))
	}
	e.attempts = int(r.byte())
	refs := int(r.byte())
	if r.err == nil && refs > maxRefs && refs != inTried {
		return fmt.Errorf("%w: an address in %d buckets", ErrDamaged, refs)
	}
	var buckets []int
	for range refs % inTried {
		bucket := int(r.uint16())
		if bucket >= newBuckets {
			return fmt.Errorf("%w: there is no bucket %d", ErrDamaged, bucket)
		}
		buckets = append(buckets, bucket)
	}
	if r.err != nil || !m.Usable(e.addr) || m.index[e.addr] != 0 {
		return r.err
	}
	if refs == inTried {
		if bucket, slot := m.triedSlot(e.addr); m.tried.get(bucket, slot) == 0 {
			e.tried = true
			m.tried.set(bucket, slot, m.create(e))
			m.nTried++
		}
		return nil
	}
	i := m.create(e)
	p := &m.entries[i]
	for _, bucket := range buckets {
		if slot := m.slotIn(forNewSlot, bucket, e.addr); m.fresh.get(bucket, slot) == 0 {
			m.fresh.set(bucket, slot, i)
			p.buckets[p.refs] = uint16(bucket)
			p.refs++
		}
	}
	if p.refs == 0 {
		m.drop(i)
	}
	return nil
}
