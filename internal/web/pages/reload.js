setInterval(function(){var a=document.activeElement;if(!document.hidden&&!(a&&a.tagName==="INPUT")&&!String(getSelection()))location.reload()},30000)
