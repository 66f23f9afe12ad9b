// Command dns is CoreDNS with the plugins that the test cluster's Corefile names, and none that talks to a cloud.
//
// In the module of the kube binary, whose packages of Kubernetes it uses: they are compiled once.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

func main() { coremain.Run() }
