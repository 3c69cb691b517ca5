package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxBlocks is how many blocks /api/blocks lists, pageBlocks how many the page shows.
const maxBlocks, pageBlocks = 50, 10

// Handler answers HTTP requests.
type Handler struct {
	backend Backend
	status  cached[*Status]
	blocks  cached[[]Block]
	fronts  fronts
	lookups lookups
	mux     *http.ServeMux
}

// New returns the handler of a node.
func New(b Backend) *Handler {
	h := &Handler{
		backend: b,
		status:  cached[*Status]{ask: b.Status, fresh: freshFor},
		blocks: cached[[]Block]{fresh: freshFor, ask: func(ctx context.Context) ([]Block, error) {
			return b.Blocks(ctx, maxBlocks)
		}},
		lookups: lookups{miners: cached[Miners]{ask: b.Miners, fresh: minersFreshFor}},
		mux:     http.NewServeMux(),
	}
	for path, answer := range map[string]http.HandlerFunc{
		"/{$}": h.front, "/miner": h.search, "/miner/{address}": h.miner,
		"/api/status": h.apiStatus, "/status.json": h.apiStatus, "/api/blocks": h.apiBlocks, "/api/miner/{address}": h.apiMiner,
		"/health": h.health,
	} {
		h.mux.HandleFunc("GET "+path, answer)
	}
	return h
}

// ServeHTTP implements http.Handler. Only GET and HEAD are answered.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Security-Policy", policy)
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	h.mux.ServeHTTP(w, r)
}

// front shows the state to people.
func (h *Handler) front(w http.ResponseWriter, r *http.Request) {
	status, err := h.status.get(r.Context())
	if err != nil {
		unavailable(w)
		return
	}
	blocks, err := h.blocks.get(r.Context())
	if err != nil {
		unavailable(w)
		return
	}
	page, err := h.fronts.page(&view{
		Status: status, Host: anyHost, OnlyTLS: status.TLS && h.backend.OnlyTLS(localAddr(r)),
		Blocks: blocks[:min(len(blocks), pageBlocks)], Live: true,
	})
	if err != nil {
		unavailable(w)
		return
	}
	host := html.EscapeString(hostOf(r))
	write(w, http.StatusOK, typeHTML, bytes.ReplaceAll(page, []byte(anyHost), []byte(host)))
}

// search leads from the form to the page of an address.
func (h *Handler) search(w http.ResponseWriter, r *http.Request) {
	asked := strings.TrimSpace(r.URL.Query().Get("address"))
	address := asked
	if i := strings.IndexAny(asked, "._+/"); i >= 0 { // a user name with more behind the address
		address = asked[:i]
	}
	err := h.lookups.with(r.Context(), address, func(f *find) error {
		address = f.miner.Address
		return nil
	})
	if err != nil {
		h.noMiner(w, r, asked, err)
		return
	}
	http.Redirect(w, r, "/miner/"+url.PathEscape(address), http.StatusSeeOther)
}

// miner shows what is known of an address.
func (h *Handler) miner(w http.ResponseWriter, r *http.Request) {
	status, err := h.status.get(r.Context())
	if err != nil {
		unavailable(w)
		return
	}
	asked := r.PathValue("address")
	var page []byte
	err = h.lookups.with(r.Context(), asked, func(f *find) (err error) {
		if f.page == nil {
			f.page, err = render("miner", &view{Status: status, Miner: f.miner, Live: true})
		}
		page = f.page
		return err
	})
	if err != nil {
		h.noMiner(w, r, asked, err)
		return
	}
	write(w, http.StatusOK, typeHTML, page)
}

// noMiner tells that there is nothing to be told of an address.
func (h *Handler) noMiner(w http.ResponseWriter, r *http.Request, asked string, err error) {
	status, statusErr := h.status.get(r.Context())
	if !errors.Is(err, ErrNoAddress) || statusErr != nil {
		unavailable(w)
		return
	}
	if len(asked) > maxAddress {
		asked = "" // nothing to go on with
	}
	page, err := render("noaddress", &view{Status: status, Asked: asked})
	if err != nil {
		unavailable(w)
		return
	}
	write(w, http.StatusBadRequest, typeHTML, page)
}

// apiStatus is the state for programs.
func (h *Handler) apiStatus(w http.ResponseWriter, r *http.Request) {
	status, err := h.status.get(r.Context())
	answer(w, status, err)
}

// apiBlocks is the pool's Bitcoin blocks for programs.
func (h *Handler) apiBlocks(w http.ResponseWriter, r *http.Request) {
	blocks, err := h.blocks.get(r.Context())
	answer(w, blocks, err)
}

// apiMiner is what is known of an address, for programs.
func (h *Handler) apiMiner(w http.ResponseWriter, r *http.Request) {
	var body []byte
	err := h.lookups.with(r.Context(), r.PathValue("address"), func(f *find) (err error) {
		if f.json == nil {
			f.json, err = encode(f.miner)
		}
		body = f.json
		return err
	})
	if err != nil {
		answer(w, nil, err)
		return
	}
	write(w, http.StatusOK, typeJSON, body)
}

// health is for load balancers: miners should be sent elsewhere while they would get no
// work here.
func (h *Handler) health(w http.ResponseWriter, r *http.Request) {
	if reason := h.backend.Reason(); reason != "" {
		http.Error(w, "miners get no work\n"+reason, http.StatusServiceUnavailable)
		return
	}
	write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

const typeHTML, typeJSON = "text/html; charset=utf-8", "application/json"

// stateUnknown is all that strangers are told of an error of the Backend.
const stateUnknown = "the node cannot tell its state"

func unavailable(w http.ResponseWriter) {
	http.Error(w, stateUnknown, http.StatusServiceUnavailable)
}

// answer sends a value as JSON, or an error as the only field of an object.
func answer(w http.ResponseWriter, value any, err error) {
	code, body := http.StatusOK, []byte(nil)
	if err == nil {
		body, err = encode(value)
	}
	if err != nil {
		failure := struct {
			Error string `json:"error"`
		}{stateUnknown}
		code = http.StatusServiceUnavailable
		if errors.Is(err, ErrNoAddress) {
			code, failure.Error = http.StatusBadRequest, ErrNoAddress.Error()
		}
		body, _ = encode(failure) // of one string
	}
	write(w, code, typeJSON, body)
}

// encode writes JSON, for people to read too.
func encode(value any) ([]byte, error) {
	b, err := json.MarshalIndent(value, "", "  ")
	return append(b, '\n'), err
}

// write sends a body, whose length tells the client when it has all of it.
func write(w http.ResponseWriter, code int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

// hostPort matches what a Host header may be: name or address, and port.
var hostPort = regexp.MustCompile(`^(\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9._-]{1,253})(:[0-9]{1,5})?$`)

// anyHost stands for what hostOf returns.
const anyHost = "NODE:PORT"

// hostOf is where the client has reached the node, for it to tell its miners: HTTP and
// Stratum have the same port. Without one in the header it is that of the connection.
func hostOf(r *http.Request) string {
	m := hostPort.FindStringSubmatch(r.Host)
	if m == nil {
		return anyHost
	}
	return m[1] + cmp.Or(m[2], localPort(r))
}

// localPort is the port that a connection came in by, with a colon in front; empty if it
// is not known.
func localPort(r *http.Request) string {
	if addr, ok := localAddr(r).(*net.TCPAddr); ok {
		return fmt.Sprintf(":%d", addr.Port)
	}
	return ""
}

// localAddr is where a connection came in; nil if that is not known.
func localAddr(r *http.Request) net.Addr {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return addr
}
