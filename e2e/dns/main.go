// Command dns is CoreDNS with the plugins that a test cluster needs: names of Services and pods,
// names that a test points somewhere, and nothing that forwards to the outside, for there is none.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// The order in which plugins see a query. CoreDNS's own has template before hosts, but here it
	// is what answers when nothing else does.
	dnsserver.Directives = []string{"errors", "health", "ready", "cache", "hosts", "kubernetes", "template"}
	coremain.Run()
}
