package main

import (
	"reflect"
	"slices"
	"strings"

	"github.com/jessevdk/go-flags"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// reloadable are the options that a running node takes over from the conf file. What a
// hook of node.reloadHooks is for belongs to it, too.
var reloadable = []string{"debuglevel", "fee", "donation", "donationaddress", "coinbaseclass"}

// reloadHook takes over what options say from a configuration that has been checked. An
// error leaves things as they were.
type reloadHook func(*config) error

// reload reads the conf file again and takes over what a running node can. If anything in
// it is wrong, nothing is changed.
func (n *node) reload() (*rpcserver.Reload, error) {
	n.reloadMu.Lock()
	defer n.reloadMu.Unlock()
	cfg, err := loadConfig(n.cfg.args)
	if err != nil {
		return nil, err
	}
	old := n.cfg
	if n.reloaded != nil {
		old = n.reloaded
	}
	result := &rpcserver.Reload{Changed: []string{}, Restart: []string{}}
	for _, name := range changedOptions(old, cfg) {
		if slices.Contains(reloadable, name) {
			result.Changed = append(result.Changed, name)
		}
	}
	for _, name := range changedOptions(n.cfg, cfg) {
		if !slices.Contains(reloadable, name) {
			result.Restart = append(result.Restart, name)
		}
	}
	for _, hook := range n.reloadHooks() {
		if err := hook(cfg); err != nil {
			return nil, err
		}
	}
	n.reloaded = cfg
	log := n.logs.logger(subsysMain)
	log.Infof("The configuration was read again, %s; changed: %s", cfg.confNote(), orNone(result.Changed))
	if len(result.Restart) > 0 {
		log.Warnf("These options take effect after a restart: %s", strings.Join(result.Restart, ", "))
	}
	return result, nil
}

// reloadHooks are what a reload does, those that can fail first.
func (n *node) reloadHooks() []reloadHook {
	return []reloadHook{n.reloadCert, n.reloadTerms, n.reloadStratum, n.reloadLevels}
}

// reloadCert reads the miners' certificate again, should its files have changed. New
// connections get it.
func (n *node) reloadCert(*config) error {
	if n.tlsCert == nil {
		return nil
	}
	return n.tlsCert.Reload()
}

// reloadTerms takes over fee and donation. The own addresses stay as they were.
func (n *node) reloadTerms(cfg *config) error {
	return n.payees.SetTerms(cfg.General.Fee, cfg.General.Donation, cfg.donee)
}

func (n *node) reloadStratum(cfg *config) error {
	n.stratum.Adjust(cfg.payoutNotice(), cfg.Stratum.devices)
	return nil
}

// reloadLevels takes over the log levels if they have changed: debuglevel over RPC is not
// undone by a reload for another reason.
func (n *node) reloadLevels(cfg *config) error {
	old := n.cfg
	if n.reloaded != nil {
		old = n.reloaded
	}
	if cfg.Log.Level == old.Log.Level {
		return nil
	}
	_, err := n.logs.setLevels(cfg.Log.Level)
	return err
}

// changedOptions returns the options that two configurations have different values of, as
// they were given.
func changedOptions(a, b *config) []string {
	var names []string
	values := make(map[string]any)
	each := func(c *config, f func(opt *flags.Option)) {
		var walk func(groups []*flags.Group)
		walk = func(groups []*flags.Group) {
			for _, g := range groups {
				for _, opt := range g.Options() {
					f(opt)
				}
				walk(g.Groups())
			}
		}
		walk(newParser(c).Groups())
	}
	each(a, func(opt *flags.Option) { values[opt.LongName] = opt.Value() })
	each(b, func(opt *flags.Option) {
		if old, ok := values[opt.LongName]; ok && !reflect.DeepEqual(old, opt.Value()) {
			names = append(names, opt.LongName)
		}
	})
	return names
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
