// All that the pages load: the figures and the marks in the sidebar.

import "./queue.js";
import "./stream.js";
import "./function.js";
import "./cloud.js";
import "./progress.js";
