// The recorded states of a detector in (operator/tests/golden/states.json); the number of those that kstatus,
// the library that Helm, Flux and tools like kubectl wait rely on, reads otherwise than intended, out. Exits
// with 1 if there is one.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type state struct {
	Name     string          `json:"name"`
	Expected string          `json:"kstatus"`
	Object   json.RawMessage `json:"object"`
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	var states []state
	if err := json.Unmarshal(text, &states); err != nil {
		fail(err)
	}
	lies := 0
	for _, state := range states {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(state.Object); err != nil { // keeps integers
			fail(fmt.Errorf("%s: %w", state.Name, err))
		}
		result, err := status.Compute(object)
		if err != nil {
			fail(fmt.Errorf("%s: %w", state.Name, err))
		}
		if result.Status.String() != state.Expected {
			lies++
			fmt.Fprintf(os.Stderr, "kstatus: %s: expected %s, got %s: %s\n", state.Name, state.Expected, result.Status, result.Message)
		}
	}
	fmt.Printf("figures: kstatus_states=%d kstatus_lies=%d\n", len(states), lies)
	if lies > 0 || len(states) < 20 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kstatus:", err)
	os.Exit(2)
}
