package stratum

import "testing"

// TestReplayCpuminer: cpuminer subscribes, reads one line, authorizes, and gives every
// submission the same id. It rolls no version and takes a fraction for a difficulty.
func TestReplayCpuminer(t *testing.T) {
	runReplay(t, 400, `
		> {"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 2, "method": "mining.authorize", "params": ["$ADDR.cpu", "x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 12700
		mine plain
		> {"method": "mining.submit", "params": ["$ADDR.cpu", "$JOB", "$E2", "$NTIME", "$NONCE"], "id":4}
		< {"id":4,"result":true,"error":null}
		mine plain
		> {"method": "mining.submit", "params": ["$ADDR.cpu", "$JOB", "$E2", "$NTIME", "$NONCE"], "id":4}
		< {"id":4,"result":true,"error":null}
		miss
		> {"method": "mining.submit", "params": ["$ADDR.cpu", "$JOB", "$E2", "$NTIME", "$NONCE"], "id":4}
		< {"id":4,"result":false,"error":[23,"high-hash",null]}
		# It asks for the session of before when it connects again, and in an older form at
		# the third try.
		> {"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1", "abcd0001"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 1, "method": "mining.subscribe", "params": []}
		< {"id":1,"result":$SUB,"error":null}
		tip
		job clean
		`)
}

// TestReplayCpuminerOpt: other builds suggest a difficulty in a string.
func TestReplayCpuminerOpt(t *testing.T) {
	runReplay(t, 1, `
		> {"id": 1, "method": "mining.subscribe", "params": ["cpuminer-opt-24.5-x64L"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 1, "method": "mining.suggest_difficulty", "params": ["0.000000"]}
		< {"id":1,"result":null,"error":[20,"bad-params",null]}
		> {"id": 1, "method": "mining.suggest_difficulty", "params": ["0.000000002"]}
		< {"id":1,"result":true,"error":null}
		> {"id": 2, "method": "mining.authorize", "params": ["rig", "x"]}
		> {"id": 3, "method": "mining.extranonce.subscribe", "params": []}
		< {"id":2,"result":true,"error":null}
		< {"id":3,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		`)
}

// TestReplayCgminer: a build with version rolling configures first, and gives up if the
// next line is not the answer.
func TestReplayCgminer(t *testing.T) {
	runReplay(t, 400, `
		> {"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}
		< {"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
		> {"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id": 2, "method": "mining.authorize", "params": ["$ADDR_rig1", "x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		# RBUFSIZE
		carries 755
		> {"id": 3, "method": "mining.suggest_difficulty", "params": [1024]}
		< {"id":3,"result":true,"error":null}
		mine or
		> {"params": ["$ADDR_rig1", "$JOB", "$E2", "$NTIME", "$NONCE", "$VBITS"], "id": 4, "method": "mining.submit"}
		< {"id":4,"result":true,"error":null}
		# Its answers to what servers ask have no method and get no answer.
		> {"id": 9, "result": "cgminer/4.11.1", "error": null}
		> {"id": 10, "result": "pong", "error": null}
		share
		job
		mine plain
		> {"params": ["$ADDR_rig1", "$JOB", "$E2", "$NTIME", "$NONCE", "00000000"], "id": 5, "method": "mining.submit"}
		< {"id":5,"result":true,"error":null}
		`)
}

// TestReplayBfgminer: messages without an id come before subscribe, ids are words, and a
// probe asks for the transactions; the answer may be no.
func TestReplayBfgminer(t *testing.T) {
	runReplay(t, 400, `
		> {"id": null, "method": "mining.capabilities", "params": [{"notify": [], "set_difficulty": {}, "set_goal": [], "set_extranonce": []}]}
		> {"id": null, "method": "mining.suggest_target", "params": ["00000000ffff0000000000000000000000000000000000000000000000000000"]}
		> {"id": 0, "method": "mining.subscribe", "params": ["bfgminer/5.5.0"]}
		< {"id":0,"result":$SUB,"error":null}
		> {"id": "xnsub", "method": "mining.extranonce.subscribe", "params": []}
		> {"id": "auth", "method": "mining.authorize", "params": ["rig#xnsub", "x"]}
		< {"id":"xnsub","result":true,"error":null}
		< {"id":"auth","result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 755
		> {"id": "txlist$JOB", "method": "mining.get_transactions", "params": ["$JOB"]}
		< {"id":"txlist10","result":null,"error":[20,"not supported",null]}
		mine plain
		> {"params": ["rig#xnsub", "$JOB", "$E2", "$NTIME", "$NONCE"], "id": "submit1", "method": "mining.submit"}
		< {"id":"submit1","result":true,"error":null}
		`)
}
