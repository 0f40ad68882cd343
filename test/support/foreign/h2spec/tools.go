//go:build tools

// Package tools pins the versions of what `go build github.com/summerwind/h2spec/cmd/h2spec` builds here.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
