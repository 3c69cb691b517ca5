package stratum

import "testing"

// TestReplayAntminerStock: bmminer, from S9 on. It reads whole difficulties only, asks for a
// number of version bits, hashes some 750 bytes of coinbase, and some send a notice of
// their version.
func TestReplayAntminerStock(t *testing.T) {
	runReplay(t, 400, `
		> {"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.min-bit-count": 2, "version-rolling.mask": "00c00000"}]}
		< {"id":0,"result":{"version-rolling":true,"version-rolling.mask":"00c00000"},"error":null}
		> {"id": 1, "method": "mining.subscribe", "params": ["bmminer/2.0.0"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 2, "method": "mining.authorize", "params": ["$ADDR.s9", "123"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 755
		> {"id": 3, "method": "mining.multi_version", "params": [1]}
		< {"id":3,"result":true,"error":null}
		# Bits outside of the mask that was agreed on.
		mine or
		> {"params": ["$ADDR.s9", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"], "id": 4, "method": "mining.submit"}
		< {"id":4,"result":false,"error":[20,"bad-version",null]}
		mine plain
		> {"params": ["$ADDR.s9", "$JOB", "$E2", "$NTIME", "$NONCE", "00000000"], "id": 5, "method": "mining.submit"}
		< {"id":5,"result":true,"error":null}
		> {"id": 6, "method": "mining.term", "params": []}
		< {"id":6,"result":true,"error":null}
		`)
}

// TestReplayAntminerS21: handshake in one packet, 2,250 bytes; the S21 Pro is not known to
// hash more than others.
func TestReplayAntminerS21(t *testing.T) {
	for agent, limit := range map[string]string{"Antminer S21/Mon Dec 25 10:00:00 CST 2023": "2250", "Antminer S21 Pro/Mon Dec 25": "755"} {
		runReplay(t, 400, `
		> {"id": 1, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 16}]}
		> {"id": 2, "method": "mining.subscribe", "params": ["`+agent+`"]}
		> {"id": 3, "method": "mining.authorize", "params": ["$ADDR.s21", "x"]}
		< {"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		< {"id":2,"result":$SUB,"error":null}
		< {"id":3,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries `+limit+`
		mine replace
		> {"id": 4, "method": "mining.submit", "params": ["$ADDR.s21", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
		< {"id":4,"result":true,"error":null}
		`)
	}
}

// TestReplayBraiins: Braiins OS needs version rolling with 16 bits; its other extensions
// may be refused, but each must be answered.
func TestReplayBraiins(t *testing.T) {
	runReplay(t, 400, `
		> {"id":0,"method":"mining.configure","params":[["version-rolling","minimum-difficulty","subscribe-extranonce"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16,"minimum-difficulty.value":2048}]}
		< {"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000","minimum-difficulty":false,"subscribe-extranonce":true},"error":null}
		> {"id":1,"method":"mining.subscribe","params":["2026-02-13-0-db69f9bc-26.01-plus;bosminer-plus-tuner 0.9.0-db69f9bc",null,"pool.example",3333]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id":2,"method":"mining.authorize","params":["$ADDR.braiins","x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 2250
		mine replace
		> {"id":3,"method":"mining.submit","params":["$ADDR.braiins","$JOB","$E2","$NTIME","$NONCE","$VBITS"]}
		< {"id":3,"result":true,"error":null}
		`)
}

// TestReplayLuxOS, vnish and ePIC: pipelined, in packets that end anywhere.
func TestReplayLuxOSVnishEPIC(t *testing.T) {
	for agent, limit := range map[string]string{
		"LUXminer 2025.7.10.152155-6e13fb74": "755", "xminer-1.2.6": "16000", "PowerPlay-BM/1.14.0": "16000",
	} {
		runReplay(t, 400, `
		>> {"id":1,"method":"mining.conf
		>> igure","params":[["version-rolling","subscribe-extranonce"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":2}]}
		>
		> {"id":2,"method":"mining.subscribe","params":["`+agent+`"]}
		> {"id":3,"method":"mining.authorize","params":["$ADDR.lux","x"]}
		> {"id":4,"method":"mining.extranonce.subscribe","params":[]}
		< {"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000","subscribe-extranonce":true},"error":null}
		< {"id":2,"result":$SUB,"error":null}
		< {"id":3,"result":true,"error":null}
		< {"id":4,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries `+limit+`
		mine replace
		> {"id":5,"method":"mining.submit","params":["$ADDR.lux","$JOB","$E2","$NTIME","$NONCE","$VBITS"]}
		< {"id":5,"result":true,"error":null}
		`)
	}
}

// TestReplayWhatsminer: 6,500 bytes of coinbase, and names that it cuts at 127 bytes.
func TestReplayWhatsminer(t *testing.T) {
	const long = ".w123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	runReplay(t, 400, `
		> {"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}
		< {"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		> {"id": 1, "method": "mining.subscribe", "params": ["whatsminer/v1.1"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 2, "method": "mining.authorize", "params": ["$ADDR`+long+`", "x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 6500
		mine replace
		> {"params": ["$ADDR`+long[:127-len(regtestAddr)]+`", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"], "id": 4, "method": "mining.submit"}
		< {"id":4,"result":true,"error":null}
		`)
}

// TestReplayAvalon: cgminer drivers, which must get an answer to everything, or test the
// pool for ever; names are cut at 63 bytes. Its "cgminer/" could be any device.
func TestReplayAvalon(t *testing.T) {
	const name = ".nano3s.in.the.attic.of.a.house"
	runReplay(t, 400, `
		> {"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}
		< {"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		> {"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 2, "method": "mining.authorize", "params": ["$ADDR`+name+`", "x"]}
		> {"id": 3, "method": "mining.test_pool", "params": []}
		> {"id": 4, "method": "mining.get_txnhashes", "params": ["10"]}
		< {"id":2,"result":true,"error":null}
		< {"id":3,"result":null,"error":[20,"unknown method",null]}
		< {"id":4,"result":null,"error":[20,"not supported",null]}
		difficulty 0.00000000372523
		job clean
		carries 6208
		mine xor
		> {"params": ["$ADDR`+name[:63-len(regtestAddr)]+`", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"], "id": 5, "method": "mining.submit"}
		< {"id":5,"result":true,"error":null}
		`)
}

// TestReplayApollo: it configures a least difficulty alone; one server was seen to answer
// that with what is not JSON.
func TestReplayApollo(t *testing.T) {
	runReplay(t, 400, `
		> {"id":1,"method":"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":64}]}
		< {"id":1,"result":{"minimum-difficulty":false},"error":null}
		> {"id":2,"method":"mining.subscribe","params":["apollo/1.0"]}
		< {"id":2,"result":$SUB,"error":null}
		> {"id":3,"method":"mining.authorize","params":["$ADDR.apollo","x"]}
		< {"id":3,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 755
		mine plain
		> {"id":4,"method":"mining.submit","params":["$ADDR.apollo","$JOB","$E2","$NTIME","$NONCE"]}
		< {"id":4,"result":true,"error":null}
		`)
}

// TestReplaySpondoolies: a coinbase of 1,024 bytes at most, and the difficulty in the name of
// the method.
func TestReplaySpondoolies(t *testing.T) {
	runReplay(t, 400, `
		> {"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.2.3"]}
		> {"id": 2, "method": "mining.suggest_difficulty(1024)", "params": []}
		> {"id": 3, "method": "mining.authorize", "params": ["$ADDR", ""]}
		< {"id":1,"result":$SUB,"error":null}
		< {"id":2,"result":true,"error":null}
		< {"id":3,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 1024
		mine plain
		> {"params": ["$ADDR", "$JOB", "$E2", "$NTIME", "$NONCE"], "id": 4, "method": "mining.submit"}
		< {"id":4,"result":true,"error":null}
		`)
}
