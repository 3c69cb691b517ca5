package solutions

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// castagnoli is the polynomial that processors know: a 4 MB block takes under 1 ms.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealField comes before the checksum, which is an object's last field.
const sealField = `,"crc32c":`

// seal adds to a JSON object, which has fields, a checksum of it and of what belongs to
// it: a disk that flips a bit of a number leaves perfect JSON.
func seal(object []byte, more ...[]byte) []byte {
	object = bytes.TrimSuffix(object, []byte("}"))
	return fmt.Appendf(nil, "%s%s%d}", object, sealField, checksum(object, more...))
}

// sealed tells whether an object is as seal returned it.
func sealed(object []byte, more ...[]byte) bool {
	i := bytes.LastIndex(object, []byte(sealField))
	return i >= 0 && bytes.Equal(object[i:], fmt.Appendf(nil, "%s%d}", sealField, checksum(object[:i], more...)))
}

func checksum(object []byte, more ...[]byte) uint32 {
	sum := crc32.Checksum(object, castagnoli)
	for _, b := range more {
		sum = crc32.Update(sum, castagnoli, b)
	}
	return sum
}
