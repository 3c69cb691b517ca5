package payee

import (
	"strings"
	"testing"
)

// TestChecksumVectors has the vectors of BIP 380.
func TestChecksumVectors(t *testing.T) {
	if sum, err := Checksum("raw(deadbeef)"); err != nil || sum != "89f8spxm" {
		t.Errorf("%q, %v", sum, err)
	}
	tests := []struct{ text, wrong string }{
		{"raw(deadbeef)#89f8spxm", ""},
		{"raw(deadbeef)", ""},
		{"raw(deadbeef)#", "8 characters, not 0"},
		{"raw(deadbeef)#89f8spxmx", "8 characters, not 9"},
		{"raw(deadbeef)#89f8spx", "8 characters, not 7"},
		{"raw(deedbeef)#89f8spxm", "does not match"},
		{"raw(deedbeef)##9f8spxm", "does not match"},
		{"raw(Ü)#00000000", "a character that descriptors do not have"},
	}
	for _, test := range tests {
		got, err := cutChecksum(test.text)
		switch {
		case test.wrong == "":
			if err != nil || got != "raw(deadbeef)" {
				t.Errorf("%s: %q, %v", test.text, got, err)
			}
		case err == nil || !strings.Contains(err.Error(), test.wrong):
			t.Errorf("%s: %v, want %q", test.text, err, test.wrong)
		}
	}
}

// TestChecksumFindsErrors: each change of one or two characters of a descriptor shows.
func TestChecksumFindsErrors(t *testing.T) {
	const text = "wpkh([d34db33f/84h/0h/0h]x/0/*)"
	want, err := Checksum(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for _, c := range inputCharset {
			wrong := text[:i] + string(c) + text[i+1:]
			if sum, err := Checksum(wrong); err != nil || (sum == want) != (wrong == text) {
				t.Fatalf("%s: %s, %v", wrong, sum, err)
			}
		}
		if i > 0 && text[i] != text[i-1] {
			wrong := text[:i-1] + text[i:i+1] + text[i-1:i] + text[i+1:]
			if sum, _ := Checksum(wrong); sum == want {
				t.Fatalf("%s has the same checksum", wrong)
			}
		}
	}
}
