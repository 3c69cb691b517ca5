package payee

import (
	"errors"
	"fmt"
	"strings"
)

// The checksum of a descriptor (BIP 380): a BCH code over the positions of its characters
// in inputCharset, written with the characters of bech32.
const (
	inputCharset = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumCharset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumLength  = 8
)

// checksumGenerator are the code's coefficients.
var checksumGenerator = [5]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd}

// polymod is the remainder of a descriptor so far.
type polymod uint64

func (c *polymod) add(symbol int) {
	top := uint64(*c) >> 35
	next := (uint64(*c)&0x7ffffffff)<<5 ^ uint64(symbol)
	for i, g := range checksumGenerator {
		if top>>i&1 == 1 {
			next ^= g
		}
	}
	*c = polymod(next)
}

// errCharacter means that a descriptor holds what no descriptor may.
var errCharacter = errors.New("it holds a character that descriptors do not have")

// Checksum returns the eight characters that belong behind the # of a descriptor.
func Checksum(descriptor string) (string, error) {
	sum, groups, count := polymod(1), 0, 0
	for _, c := range descriptor {
		at := strings.IndexRune(inputCharset, c)
		if at < 0 {
			return "", errCharacter
		}
		sum.add(at & 31)
		groups = groups*3 + at>>5
		if count++; count == 3 { // the high parts of three characters make one symbol
			sum.add(groups)
			groups, count = 0, 0
		}
	}
	if count > 0 {
		sum.add(groups)
	}
	for range checksumLength {
		sum.add(0)
	}
	sum ^= 1
	var text [checksumLength]byte
	for i := range text {
		text[i] = checksumCharset[sum>>(5*(checksumLength-1-i))&31]
	}
	return string(text[:]), nil
}

// cutChecksum returns a descriptor without its checksum, which must be right if there is
// one.
func cutChecksum(text string) (string, error) {
	descriptor, given, found := strings.Cut(text, "#")
	want, err := Checksum(descriptor)
	switch {
	case err != nil:
		return "", err
	case found && len(given) != checksumLength:
		return "", fmt.Errorf("the checksum behind # must have %d characters, not %d", checksumLength, len(given))
	case found && given != want:
		return "", errors.New("the checksum behind # does not match: there is a typing error in one or the other")
	}
	return descriptor, nil
}
