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

// reloadHook prepares to take over what options say from a configuration that has been
// checked. apply, which cannot fail, does it, once all hooks have found nothing wrong; nil:
// there is nothing to do. Before that nothing changes.
type reloadHook func(*config) (apply func(), err error)

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
	if err := takeOver(cfg, n.reloadHooks()); err != nil {
		return nil, err
	}
	n.reloaded = cfg
	log := n.logs.logger(subsysMain)
	log.Infof("The configuration was read again, %s; changed: %s", cfg.confNote(), orNone(result.Changed))
	if len(result.Restart) > 0 {
		log.Warnf("These options take effect after a restart: %s", strings.Join(result.Restart, ", "))
	}
	return result, nil
}

// takeOver applies all that hooks prepare, or nothing.
func takeOver(cfg *config, hooks []reloadHook) error {
	var changes []func()
	for _, prepare := range hooks {
		apply, err := prepare(cfg)
		if err != nil {
			return err
		}
		if apply != nil {
			changes = append(changes, apply)
		}
	}
	for _, apply := range changes {
		apply()
	}
	return nil
}

// reloadHooks are what a reload does.
func (n *node) reloadHooks() []reloadHook {
	return []reloadHook{n.reloadTerms, n.reloadStratum, n.reloadLevels, n.reloadCert}
}

// reloadCert reads the miners' certificate again, should its files have changed. New
// connections get it.
func (n *node) reloadCert(*config) (apply func(), err error) {
	if n.tlsCert == nil {
		return nil, nil
	}
	return n.tlsCert.Prepare()
}

// reloadTerms takes over fee and donation. The own addresses stay as they were.
func (n *node) reloadTerms(cfg *config) (apply func(), err error) {
	return n.payees.PrepareTerms(cfg.General.Fee, cfg.General.Donation, cfg.donee)
}

func (n *node) reloadStratum(cfg *config) (apply func(), err error) {
	return func() { n.stratum.Adjust(cfg.payoutNotice(), cfg.Stratum.devices) }, nil
}

// reloadLevels takes over the log levels if they have changed: debuglevel over RPC is not
// undone by a reload for another reason.
func (n *node) reloadLevels(cfg *config) (apply func(), err error) {
	old := n.cfg
	if n.reloaded != nil {
		old = n.reloaded
	}
	if cfg.Log.Level == old.Log.Level {
		return nil, nil
	}
	if _, err := parseLevels(cfg.Log.Level); err != nil {
		return nil, err
	}
	return func() { n.logs.setLevels(cfg.Log.Level) }, nil // fails for what cannot be parsed only
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
