import { isPublic, objection } from "../../../../client/web/src/session/addresses";
import { compareWithPython } from "../crypto/cases";

compareWithPython("addresses", { objection, public: isPublic });
