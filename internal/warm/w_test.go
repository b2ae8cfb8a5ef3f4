package warm
import (
"testing"
_ "github.com/rogpeppe/go-internal/testscript"
_ "github.com/google/go-cmp/cmp"
_ "golang.org/x/tools/txtar"
)
func TestX(t *testing.T){}
