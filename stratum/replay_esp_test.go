package stratum

import "testing"

// TestReplayBitaxe: ESP-Miner sends its handshake in one packet and rolls versions by XOR. It
// answers a ping with a method, which must not be answered.
func TestReplayBitaxe(t *testing.T) {
	runReplay(t, 400, `
		> {"id": 1, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}
		> {"id": 2, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.9.0"]}
		> {"id": 3, "method": "mining.authorize", "params": ["$ADDR.bitaxe", "x"]}
		> {"id": 4, "method": "mining.suggest_difficulty", "params": [1000]}
		> {"id": 5, "method": "mining.extranonce.subscribe", "params": []}
		< {"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		< {"id":2,"result":$SUB,"error":null}
		< {"id":3,"result":true,"error":null}
		< {"id":4,"result":true,"error":null}
		< {"id":5,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 2250
		> {"id": 6, "method": "pong", "params": []}
		mine xor
		> {"id": 7, "method": "mining.submit", "params": ["$ADDR.bitaxe", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
		< {"id":7,"result":true,"error":null}
		> {"id": 8, "method": "mining.submit", "params": ["$ADDR.bitaxe", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
		< {"id":8,"result":false,"error":[22,"duplicate",null]}
		# A share tip changes the job but not what the old one is worth.
		mine xor
		share
		job
		> {"id": 9, "method": "mining.submit", "params": ["$ADDR.bitaxe", "$OLDJOB", "$E2", "$OLDNTIME", "$NONCE", "$VBITS"]}
		< {"id":9,"result":true,"error":null}
		mine xor
		> {"id": 10, "method": "mining.submit", "params": ["$ADDR.bitaxe", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"]}
		< {"id":10,"result":true,"error":null}
		`)
}

// TestReplayNerdMiner: it reads line by line for a second each, suggests a fraction, and
// writes the nonce without leading zeros.
func TestReplayNerdMiner(t *testing.T) {
	runReplay(t, 1, `
		> {"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/1.8.1"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"params": ["$ADDR.nerd", "x"], "id": 2, "method": "mining.authorize"}
		> {"id": 3, "method": "mining.suggest_difficulty", "params": [0.0001]}
		< {"id":2,"result":true,"error":null}
		< {"id":3,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		# What it has room for is enough as long as there are one or two payouts.
		carries 300
		mine plain
		> {"params": ["$ADDR.nerd","$JOB","$E2","$NTIME","$SHORTNONCE"], "id": 4, "method": "mining.submit"}
		< {"id":4,"result":true,"error":null}
		# It keeps the connection open by suggesting again.
		wait 10s
		> {"id": 5, "method": "mining.suggest_difficulty", "params": [0.0001]}
		< {"id":5,"result":true,"error":null}
		`)
}

// TestReplaySparkMiner: its buffer for the second part of the coinbase was 256 bytes once. Ours
// has four.
func TestReplaySparkMiner(t *testing.T) {
	runReplay(t, 400, `
		> {"id":1,"method":"mining.subscribe","params":["SparkMiner/2.0"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id":2,"method":"mining.authorize","params":["$ADDR.spark","x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 755
		mine plain
		> {"id":3,"method":"mining.submit","params":["$ADDR.spark","$JOB","$E2","$NTIME","$SHORTNONCE"]}
		< {"id":3,"result":true,"error":null}
		`)
}
