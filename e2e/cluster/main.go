// Command cluster is a whole Kubernetes cluster in one binary, for tests: etcd and every component
// of Kubernetes, each as the first argument. One binary instead of seven, because the components
// share nearly all of their code: it is linked once, stored once and lies in memory once.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	_ "time/tzdata" // CronJobs may name a time zone, and the machine may have no zone files

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if len(os.Args) < 2 {
		fail("no component named")
	}
	// Each component parses os.Args by itself and takes the first for its own name.
	os.Args = os.Args[1:]
	switch name := os.Args[0]; name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			cmdutil.CheckErr(err)
		}
	default:
		build, known := components[name]
		if !known {
			fail("unknown component " + name)
		}
		os.Exit(cli.Run(build()))
	}
}

// fail prints what was wrong and what can be asked for, and ends the process as a usage error.
func fail(reason string) {
	names := []string{"etcd", "kubectl"}
	for name := range components {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "cluster: %s; usage: cluster %s ARGS\n", reason, strings.Join(names, "|"))
	os.Exit(2)
}
