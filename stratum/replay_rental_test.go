package stratum

import "testing"

// TestReplayNiceHash: it checks that there is room for its own part of the extranonce, and
// wants difficulties of 500,000 and more, as far as shares are not easier.
func TestReplayNiceHash(t *testing.T) {
	runReplay(t, 1, `
		> {"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0",null,"pool.example",3333]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id":2,"method":"mining.authorize","params":["$ADDR.nh","x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		> {"id":3,"method":"mining.extranonce.subscribe","params":[]}
		< {"id":3,"result":true,"error":null}
		carries 500
		mine plain
		> {"id":4,"method":"mining.submit","params":["$ADDR.nh","$JOB","$E2","$NTIME","$NONCE"]}
		< {"id":4,"result":true,"error":null}
		# An extranonce that is too short, as of a proxy that kept a part of it, is never
		# guessed at.
		> {"id":5,"method":"mining.submit","params":["$ADDR.nh","$JOB","00000001","$NTIME","$NONCE"]}
		< {"id":5,"result":false,"error":[20,"bad-extranonce2",null]}
		`)
}

// TestReplayMiningRigRentals: its proxy submits version bits that nobody agreed on.
func TestReplayMiningRigRentals(t *testing.T) {
	runReplay(t, 400, `
		> {"id":1,"method":"mining.subscribe","params":["MiningRigRentals/1.0"]}
		< {"id":1,"result":$SUB,"error":null}
		> {"id":2,"method":"mining.authorize","params":["$ADDR.mrr","x"]}
		< {"id":2,"result":true,"error":null}
		difficulty 0.00000000372523
		job clean
		carries 755
		mine replace
		> {"id":3,"method":"mining.submit","params":["$ADDR.mrr","$JOB","$E2","$NTIME","$NONCE","$VBITS"]}
		< {"id":3,"result":true,"error":null}
		mine plain
		> {"id":4,"method":"mining.submit","params":["$ADDR.mrr","$JOB","$E2","$NTIME","$NONCE",null]}
		< {"id":4,"result":true,"error":null}
		`)
}
