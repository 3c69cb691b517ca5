package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

// Handler answers HTTP requests.
type Handler struct {
	status cached
	mux    *http.ServeMux
}

// New returns the handler of a node.
func New(b Backend) *Handler {
	h := &Handler{status: cached{backend: b}, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /{$}", h.page)
	h.mux.HandleFunc("GET /status.json", h.json)
	h.mux.HandleFunc("GET /health", h.health)
	return h
}

// ServeHTTP implements http.Handler. Only GET and HEAD are answered.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	h.mux.ServeHTTP(w, r)
}

// page shows the state to people.
func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	status, err := h.status.get(r.Context())
	if err != nil {
		unavailable(w)
		return
	}
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, struct {
		*Status
		Host  string
		Style template.CSS
	}{status, hostOf(r), template.CSS(style)}); err != nil {
		unavailable(w)
		return
	}
	write(w, "text/html; charset=utf-8", page.Bytes())
}

// json is the same for programs.
func (h *Handler) json(w http.ResponseWriter, r *http.Request) {
	status, err := h.status.get(r.Context())
	if err != nil {
		unavailable(w)
		return
	}
	b, err := json.MarshalIndent(status, "", "  ")
	if err != nil {
		unavailable(w)
		return
	}
	write(w, "application/json", append(b, '\n'))
}

// health is for load balancers: miners should be sent elsewhere while they would get no
// work here.
func (h *Handler) health(w http.ResponseWriter, r *http.Request) {
	status, err := h.status.get(r.Context())
	switch {
	case err != nil:
		unavailable(w)
	case !status.Working:
		text := strings.Join(status.Reasons, "\n")
		http.Error(w, "miners get no work\n"+text, http.StatusServiceUnavailable)
	default:
		write(w, "text/plain; charset=utf-8", []byte("ok\n"))
	}
}

func unavailable(w http.ResponseWriter) {
	http.Error(w, "the node cannot tell its state", http.StatusServiceUnavailable)
}

// write sends a body, whose length tells the client when it has all of it.
func write(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body)
}

// hostPort matches what a Host header may be: name or address, and port.
var hostPort = regexp.MustCompile(`^(\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9._-]{1,253})(:[0-9]{1,5})?$`)

// hostOf is where the client has reached the node, for it to tell its miners: HTTP and
// Stratum have the same port.
func hostOf(r *http.Request) string {
	if hostPort.MatchString(r.Host) {
		return r.Host
	}
	return "NODE:PORT"
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	style string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"rate": hashRate}).Parse(pageText))
	// styleHash is what allows the style of the page, and no other.
	styleHash = func() string {
		sum := sha256.Sum256([]byte(style))
		return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	}()
)

// hashRate words a hash rate.
func hashRate(perSecond float64) string {
	units := []string{"H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s"}
	unit := 0
	for perSecond >= 1000 && unit < len(units)-1 {
		perSecond /= 1000
		unit++
	}
	return fmt.Sprintf("%.3g %s", perSecond, units[unit])
}
